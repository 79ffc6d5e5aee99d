package import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The way out of a connection: what it sends gathers here until the end of the turn, and goes to the channel as one
/// write. HTTP connections and sockets stand on it alike.
///
/// It counts what the peer has not taken yet, wakes those who wait for room, and closes or resets the channel. It sets a
/// socket option only where the channel has one: a channel that is a stream of another connection has none.
///
/// Invariant: all state is touched on the event loop only, which debug builds assert where a call may come from elsewhere.
package final class Transport: @unchecked Sendable {
    /// What is the case right now.
    struct Flags: OptionSet {
        let rawValue: UInt8
        /// The loop flushes this transport at the end of the turn.
        static let isFlushRequested = Flags(rawValue: 1)
        /// The channel has been given bytes without a flush.
        static let hasUnflushed = Flags(rawValue: 2)
        /// The channel has said that it takes no more.
        static let isFull = Flags(rawValue: 4)
        /// Small writes are gathered while earlier ones wait.
        static let gathersBacklog = Flags(rawValue: 8)
        /// An earlier write still waits for the peer.
        static let isBacklogged = Flags(rawValue: 16)
        /// This side of the connection is closed, or about to be: nothing may stay here.
        static let isEnding = Flags(rawValue: 32)
        /// The channel encrypts, so that files go through it as bytes.
        static let isSecure = Flags(rawValue: 64)
    }

    package let loop: LoopContext
    /// The handler's place in the pipeline, while it has one.
    @exclusivity(unchecked) var context: ChannelHandlerContext?
    @exclusivity(unchecked) var out: ByteBuffer?
    @exclusivity(unchecked) var flags: Flags
    /// Counts writes to the channel, to look for a backlog now and then.
    @exclusivity(unchecked) private var writes: UInt8 = 0
    /// How many bytes the channel has been given, all in all.
    @exclusivity(unchecked) package private(set) var handedOver = 0
    @exclusivity(unchecked) private var writers: [UnsafeContinuation<Void, Never>] = []
    /// How much had been handed over when nothing was found waiting last.
    @exclusivity(unchecked) private var lookedAt = 0
    /// What is known of a peer for which bytes wait.
    private var progress: WriteProgress?
    /// The file that the channel is sending.
    var sending: FileSlice?

    /// - Parameter gathersBacklog: whether small writes are gathered while the peer has not taken earlier ones. Without it
    ///   the channel keeps a buffer for each of them, however small, and its water mark counts bytes only.
    package init(loop: LoopContext, isSecure: Bool = false, gathersBacklog: Bool = false) {
        self.loop = loop
        flags = []
        if isSecure { flags.insert(.isSecure) }
        if gathersBacklog { flags.insert(.gathersBacklog) }
    }

    // MARK: The channel

    /// The channel, while the connection's handler stands in its pipeline.
    package var channel: (any Channel)? { context?.channel }

    /// The connection's handler has been added to a pipeline.
    package func attach(_ context: ChannelHandlerContext) {
        self.context = context
        if !context.channel.isWritable { flags.insert(.isFull) }
    }

    /// The connection's handler has left its pipeline.
    package func detach() { context = nil }

    /// The channel has said whether it takes more.
    package func writabilityChanged() {
        guard let context else { return }
        if context.channel.isWritable { flags.remove(.isFull) } else { flags.insert(.isFull) }
    }

    /// Whether the channel takes more. What is written all the same waits in it.
    package var isWritable: Bool { !flags.contains(.isFull) }

    /// Asks the channel for the next bytes.
    package func read() { context?.read() }

    // MARK: Writing

    /// How many bytes wait here for the end of the turn.
    package var gathered: Int { out?.readableBytes ?? 0 }

    /// Appends to what is sent at the end of this turn.
    @inline(__always)
    package func append(_ body: (inout ByteBuffer) -> Void) {
        var buffer = takeOut()
        body(&buffer)
        out = buffer
        requestFlush()
    }

    /// Takes the buffer out to be written into; `putBack` gives it back.
    package func takeOut() -> ByteBuffer {
        guard let buffer = out else { return loop.takeBuffer() }
        out = nil
        return buffer
    }

    package func putBack(_ buffer: consuming ByteBuffer) {
        out = buffer
        requestFlush()
    }

    /// What is copied behind what is there rather than written by itself, in bytes.
    package static let copySize = 4096

    /// Sends `buffer`: small ones are copied behind what has gathered, large ones go as they are.
    package func write(_ buffer: ByteBuffer) {
        if buffer.readableBytes <= Self.copySize {
            append { $0.writeImmutableBuffer(buffer) }
        } else {
            handOver()
            give(buffer)
            requestFlush()
        }
    }

    /// Sends a buffer that connections share: without a copy, unless something small stands before it.
    package func writeShared(_ buffer: ByteBuffer) {
        if buffer.readableBytes <= Self.copySize, out != nil || flags.contains(.isBacklogged) {
            append { $0.writeImmutableBuffer(buffer) }
            if gathered > Self.copySize { handOver() }
        } else {
            handOver()
            give(buffer)
            requestFlush()
        }
    }

    /// Gives what has gathered to the channel, without a flush.
    package func handOver() {
        guard let buffer = out else { return }
        out = nil
        give(buffer)
        loop.recycle(buffer)
    }

    private func give(_ buffer: ByteBuffer) {
        count(buffer.readableBytes)
        context?.write(NIOAny(IOData.byteBuffer(buffer)), promise: backlogPromise())
        flags.insert(.hasUnflushed)
    }

    func count(_ bytes: Int) {
        loop.statistics.bytesOut &+= bytes
        handedOver &+= bytes
    }

    package func requestFlush() {
        guard !flags.contains(.isFlushRequested) else { return }
        flags.insert(.isFlushRequested)
        loop.flushLater(self)
    }

    /// Whether the channel has been given bytes that it has not been told to send, or some have gathered here.
    package var hasUnflushed: Bool { out != nil || flags.contains(.hasUnflushed) }

    /// Sends everything, also what a backlog has kept here so far.
    package func flushAll() {
        handOver()
        flush()
    }

    // MARK: Backlog

    /// How many writes there are between two checks whether the peer takes them.
    private static let writesPerCheck: UInt8 = 32

    /// A promise for every 32nd write, to find a backlog.
    private func backlogPromise() -> EventLoopPromise<Void>? {
        guard flags.contains(.gathersBacklog) else { return nil }
        writes &+= 1
        guard writes % Self.writesPerCheck == 0, !flags.contains(.isBacklogged), let context else {
            return nil
        }
        flags.insert(.isBacklogged)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in
            self.flags.remove(.isBacklogged)
            if self.out != nil { self.requestFlush() }
        }
        return promise
    }

    /// Whether earlier writes wait for the peer.
    package var isBacklogged: Bool { flags.contains(.isBacklogged) }

    /// Whether what has gathered is small and stays here because of a backlog.
    private var isGathering: Bool {
        guard flags.contains(.isBacklogged), flags.isDisjoint(with: [.hasUnflushed, .isEnding]) else {
            return false
        }
        return gathered > 0 && gathered <= Self.copySize
    }

    /// From now on nothing stays here: the connection is about to end.
    package func beginEnding() { flags.insert(.isEnding) }

    // MARK: Waiting

    /// Calls `body` when the channel has passed on all that was written before, or has failed to.
    package func whenSent(_ body: @escaping () -> Void) {
        guard let context else { return }
        handOver()
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { _ in self.loop.turn { body() } }
        context.write(NIOAny(IOData.byteBuffer(ByteBuffer())), promise: sent)
        flags.insert(.hasUnflushed)
        requestFlush()
    }

    /// Suspends the caller until `resumeWriters`.
    func waitForRoom() async {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { writers.append($0) }
        } onCancel: {
            // Never at once: the canceller may be in the middle of a change of this state.
            loop.eventLoop.execute { self.loop.turn { self.resumeWriters() } }
        }
    }

    /// Wakes all who wait for room. They look for themselves whether there is any.
    package func resumeWriters() {
        guard !writers.isEmpty else { return }
        let waiting = writers
        writers = []
        for writer in waiting { writer.resume() }
    }

    /// Whether somebody waits for room.
    package var hasWaitingWriters: Bool { !writers.isEmpty }

    package func add(writer: UnsafeContinuation<Void, Never>) { writers.append(writer) }

    // MARK: Progress

    /// How many bytes wait in the channel for the peer, asked of it now.
    package var unsent: Int { (try? channel?.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 }

    /// Whether bytes were found waiting at the last look.
    package var isWatchingPeer: Bool { progress != nil }

    /// Looks, at each tick, how many bytes wait for the peer and whether it takes them.
    package func look(now: LoopInstant, _ limits: WriteProgress.Limits) -> (
        unsent: Int, fault: WriteProgress.Fault?
    ) {
        guard lookedAt != handedOver || progress != nil else { return (0, nil) }
        let unsent = unsent
        guard unsent > 0 else {
            lookedAt = handedOver
            progress = nil
            return (0, nil)
        }
        let known = progress ?? WriteProgress(handedOver: handedOver, unsent: unsent, now: now)
        progress = known
        let fault = known.look(
            handedOver: handedOver, unsent: unsent, isFull: !isWritable, now: now, limits: limits)
        return (unsent, fault ?? (isFileShort ? .fileTooShort : nil))
    }

    // MARK: The end

    /// Closes this side; what the peer sends is still read (RFC 9112 §9.6).
    package func closeOutput() { context?.close(mode: .output, promise: nil) }

    package func close() { context?.close(promise: nil) }

    /// Ends the connection by a reset, where the channel has a socket, so that the peer knows that something is missing.
    package func reset() {
        if let socket = channel as? any SocketOptionProvider {
            // On the loop it is done at once.
            _ = socket.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        // An encrypted connection would say goodbye first, as if all had been sent. Others do not know the event.
        channel?.triggerUserOutboundEvent(ConnectionAbort(), promise: nil)
        close()
    }
}

extension Transport: LoopFlushable {
    package func flush() {
        flags.remove(.isFlushRequested)
        guard let buffer = out, !isGathering else {
            if flags.contains(.hasUnflushed) {
                flags.remove(.hasUnflushed)
                context?.flush()
            }
            return
        }
        out = nil
        flags.remove(.hasUnflushed)
        count(buffer.readableBytes)
        context?.writeAndFlush(NIOAny(IOData.byteBuffer(buffer)), promise: backlogPromise())
        loop.recycle(buffer)
    }
}
