import HTTPKit
public import NIOCore

/// Sending: messages, prepared messages, streams, pings.
extension WebSocketConnection {
    // MARK: Messages

    func send(_ message: Message, compress: Bool) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.send(message, compress: compress) }
        }
        if message.count > CodecTurns.quantum, compress, machine.codecWork != nil {
            await waitForTurn(message.count)
        }
        if isFull || isStreaming { try await waitForRoom() }
        guard trySendOnLoop(message, compress: compress) == .sent else {
            throw WebSocketClosed(reason: closeReason)
        }
    }

    func trySend(_ message: Message, compress: Bool) -> SendOutcome {
        guard loop.eventLoop.inEventLoop else {
            let outcome = gate.reserve(message.count, limit: limits.sendBufferSize)
            guard case .sent = outcome else { return outcome }
            onLoop { connection in
                connection.gate.release(message.count)
                // The message was accepted when there was room, and the accepted bytes are bounded. So it is sent even
                // if the buffer is full now, unless a stream has begun since, which no message may interrupt.
                if !connection.isStreaming {
                    _ = connection.trySendOnLoop(message, compress: compress)
                } else {
                    connection.loop.statistics.messagesDropped &+= 1
                }
            }
            return .sent
        }
        guard !isFull, !isStreaming else { return isClosed || !machine.isOpen ? .closed : .full }
        return trySendOnLoop(message, compress: compress)
    }

    private func trySendOnLoop(_ message: Message, compress: Bool) -> SendOutcome {
        guard case .open = phase, machine.isOpen else { return .closed }
        do throws(WSError) {
            if message.count > FrameEncoder.copySize,
                let frame = try machine.reusableFrame(for: message, compress: compress)
            {
                write(frame)
            } else {
                try write { (machine, out) throws(WSError) in
                    try machine.encode(message, compress: compress, into: &out)
                }
            }
        } catch {
            fail(error)
            return .closed
        }
        loop.countSentMessage()
        lastMessage = loop.now
        return .sent
    }

    /// Waits until the send buffer has room and no stream is being sent.
    private func waitForRoom() async throws {
        flush()
        while isFull || isStreaming {
            guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
            try await waitForSenders()
        }
    }

    /// Suspends until the waiting senders are resumed.
    private func waitForSenders() async throws {
        try await waiting { connection, continuation in
            connection.sendWaiters.append(continuation)
        } cancel: {
            // All senders check again whether there is room, and the cancelled one throws.
            $0.wakeSenders()
        }
    }

    func wakeSenders() {
        let waiters = sendWaiters
        sendWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    /// Sends a published message, whose bytes are shared with other connections. Never waits.
    ///
    /// - Parameter room: identifies the room. With `.latestOnly`, the newest missed message of each room is kept.
    func sendPublished(_ message: PreparedMessage, policy: SlowClientPolicy, room: ObjectIdentifier) {
        var frames = PreparedFrames(message)
        sendPublished(&frames, policy: policy, room: room)
    }

    /// Sends a published message with the frames that are shared by the sockets of this event loop.
    func sendPublished(_ frames: inout PreparedFrames, policy: SlowClientPolicy, room: ObjectIdentifier) {
        guard case .open = phase, machine.isOpen else { return }
        guard !isFull, !isStreaming, !mustHoldBack(policy) else {
            guard case .latestOnly = policy else { return handleMissed(1, policy: policy) }
            let rare = makeRareState()
            if let index = rare.latestMissed.firstIndex(where: { $0.room == room }) {
                loop.statistics.messagesDropped &+= 1
                rare.latestMissed.remove(at: index)
            }
            rare.latestMissed.append((room, frames.message))
            return
        }
        do throws(WSError) {
            if machine.role == .server {
                write(try machine.frame(for: &frames))
            } else {
                let message = frames.message
                try write { (machine, out) throws(WSError) in try machine.encode(message, into: &out) }
            }
            loop.countSentMessage()
        } catch {
            fail(error)
        }
    }

    /// Handles `count` published messages that the connection misses. With `.latestOnly`, the caller then sends the latest.
    func handleMissed(_ count: Int, policy: SlowClientPolicy) {
        guard case .open = phase, machine.isOpen else { return }
        switch policy {
        case .drop: loop.statistics.messagesDropped &+= count
        case .latestOnly: loop.statistics.messagesDropped &+= count - 1
        case .disconnect(let code):
            loop.statistics.messagesDropped &+= count
            startClose(code, reason: "messages are not read fast enough")
        }
    }

    func writabilityChanged(_ isWritable: Bool) {
        guard isWritable else {
            isFull = true
            updateGate()
            return
        }
        isFull = false
        updateGate()
        rareState?.stall = nil
        if let payload = rareState?.pendingPong {
            rareState?.pendingPong = nil
            appendOutput { machine, out in machine.encodePong(payload, into: &out) }
        }
        sendMissed()
        wakeSenders()
        notifyDrain()
        process()
        resumeReading()
    }

    private func notifyDrain() {
        if case .callbacks(let handler) = consumer, let socket, case .open = phase {
            loop.begin(self)
            handler.onDrain(socket)
        }
    }

    private func updateGate() { gate.isFull = isFull || isStreaming }

    /// Whether a published message must be held back, so that a newer one can replace it. This is the case with
    /// `.latestOnly` while too many bytes are unsent.
    @inline(__always)
    private func mustHoldBack(_ policy: SlowClientPolicy) -> Bool {
        guard case .latestOnly = policy else { return false }
        return isUnsentLimitReached()
    }

    @inline(never)
    private func isUnsentLimitReached() -> Bool {
        if rareState?.awaitsWrite == true { return true }
        guard let context,
            let waiting = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes),
            waiting + (out?.readableBytes ?? 0) >= max(1, limits.latestOnlyUnsentSize)
        else { return false }
        makeRareState().awaitsWrite = true
        writeOutput()
        // An empty write completes when the transport has accepted all writes before it.
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { [self] _ in
            loop.turn {
                rareState?.awaitsWrite = false
                if !isFull { sendMissed() }
            }
        }
        context.write(wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: promise)
        needsFlush = true
        requestFlush()
        return true
    }

    /// Limits the unsent bytes in the kernel while the socket has a `.latestOnly` membership, because they cannot be
    /// replaced by newer messages. Only for TCP on Linux.
    func limitUnsent(_ isLimited: Bool) {
        #if os(Linux)
            let rare = makeRareState()
            rare.latestMemberships += isLimited ? 1 : -1
            guard case .open = phase, rare.latestMemberships == (isLimited ? 1 : 0),
                let channel = context?.channel
            else { return }
            switch channel.localAddress {
            case .v4, .v6: break
            case .unixDomainSocket, nil: return
            }
            // 0 restores the system's setting.
            let size = isLimited ? min(max(1, limits.latestOnlyUnsentSize), Int(CInt.max)) : 0
            try? channel.syncOptions?.setOption(.tcpOption(Self.notSentLowWaterMark), value: size)
        #endif
    }

    /// `TCP_NOTSENT_LOWAT` of Linux.
    private static let notSentLowWaterMark = NIOBSDSocket.Option(rawValue: 25)

    private func sendMissed() {
        guard let missed = rareState?.latestMissed, !missed.isEmpty else { return }
        rareState?.latestMissed = []
        for (room, message) in missed { sendPublished(message, policy: .latestOnly, room: room) }
    }

    // MARK: Streams

    func sendStream(
        _ kind: Message.Kind, compress: Bool, _ body: (MessageWriter) async throws -> Void
    ) async throws {
        try await beginStream(kind, compress: compress)
        do {
            try await body(MessageWriter(connection: self))
            try await writePart(ByteBuffer(), isFinal: true)
        } catch {
            // An unfinished message cannot be abandoned (RFC 6455 §5.4), so the connection must be closed.
            await close(.internalError, reason: "a message could not be completed")
            throw error
        }
    }

    private func beginStream(_ kind: Message.Kind, compress: Bool) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.beginStream(kind, compress: compress) }
        }
        if isFull || isStreaming { try await waitForRoom() }
        guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
        isStreaming = true
        updateGate()
        streamKind = kind
        streamCompresses = compress
    }

    func writePart(_ data: ByteBuffer, isFinal: Bool) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.writePart(data, isFinal: isFinal) }
        }
        if data.readableBytes > CodecTurns.quantum, streamCompresses { await waitForTurn(data.readableBytes) }
        while isFull {
            guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
            flush()
            // If the transport has accepted everything at once, nothing would resume this writer.
            if isFull { try await waitForSenders() }
        }
        // A `MessageWriter` that is used after its closure must not write.
        guard case .open = phase, machine.isOpen, isStreaming else {
            throw WebSocketClosed(reason: closeReason)
        }
        let (kind, compress) = (streamKind, streamCompresses)
        try write { (machine, out) throws(WSError) in
            try machine.encodePart(kind, data, isFinal: isFinal, compress: compress, into: &out)
        }
        if isFinal {
            loop.countSentMessage()
            isStreaming = false
            updateGate()
            sendMissed()
            wakeSenders()
            if !isFull { notifyDrain() }
        }
    }

    // MARK: Pings

    func ping() async throws -> Duration {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.ping() }
        }
        guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
        let rare = makeRareState()
        rare.pingCounter += 1
        // The first byte distinguishes it from keep-alive pings.
        let payload = ByteBuffer(bytes: [0x61] + withUnsafeBytes(of: rare.pingCounter.bigEndian, Array.init))
        appendOutput { machine, out in machine.encodePing(payload, into: &out) }
        try Task.checkCancellation()
        let elapsed = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                rare.pings.append(Ping(payload: payload, sent: .now, waiter: continuation))
            }
        } onCancel: {
            loop.eventLoop.execute { self.forgetPing(payload) }
        }
        try Task.checkCancellation()
        guard let elapsed else { throw WebSocketClosed(reason: closeReason) }
        return elapsed
    }

    private func forgetPing(_ payload: ByteBuffer) {
        guard let rare = rareState, let index = rare.pings.firstIndex(where: { $0.payload == payload }) else {
            return
        }
        rare.pings.remove(at: index).waiter.resume(returning: nil)
    }

    // MARK: Output

    /// Lets `body` append frames to the output, which is sent at the end of this turn of the event loop.
    func appendOutput(_ body: (inout WebSocketMachine, inout ByteBuffer) -> Void) {
        var buffer = out ?? loop.takeBuffer()
        out = nil
        body(&machine, &buffer)
        out = buffer
        requestFlush()
    }

    private func write(
        _ body: (inout WebSocketMachine, inout ByteBuffer) throws(WSError) -> Void
    ) throws(WSError) {
        var buffer = out ?? loop.takeBuffer()
        out = nil
        do throws(WSError) {
            try body(&machine, &buffer)
        } catch {
            out = buffer
            throw error
        }
        let isLarge = buffer.readableBytes > FrameEncoder.copySize
        out = buffer
        if isLarge { writeOutput() }
        requestFlush()
    }

    /// Writes a frame that connections share. A small frame is copied into the output if there is output before it;
    /// otherwise the frame is written without a copy.
    private func write(_ frame: ByteBuffer) {
        if frame.readableBytes <= FrameEncoder.copySize, out != nil || isBacklogged {
            appendOutput { _, out in out.writeImmutableBuffer(frame) }
            if let out, out.readableBytes > FrameEncoder.copySize { writeOutput() }
        } else {
            writeOutput()
            writeToChannel(frame)
        }
        requestFlush()
    }

    func requestFlush() {
        guard !isFlushRequested else { return }
        isFlushRequested = true
        loop.flushLater(self)
    }

    private func writeOutput() {
        guard let buffer = out else { return }
        out = nil
        writeToChannel(buffer)
        loop.recycle(buffer)
    }

    private func writeToChannel(_ buffer: ByteBuffer) {
        countSent(buffer.readableBytes)
        context?.write(wrapOutboundOut(.byteBuffer(buffer)), promise: backlogPromise())
        needsFlush = true
    }

    private func countSent(_ bytes: Int) {
        loop.countSent(octets: bytes)
        writtenSinceRateCheck &+= UInt32(truncatingIfNeeded: bytes)
    }

    /// How many writes there are between two checks whether the peer reads them.
    private static let writesPerCheck: UInt8 = 32

    /// Returns a promise for every 32nd write, to detect a backlog.
    ///
    /// The channel keeps a buffer for each write that the peer has not read, however small it is, but its water mark counts
    /// only bytes. So while one of these promises is not completed, small frames are coalesced here.
    private func backlogPromise() -> EventLoopPromise<Void>? {
        writes &+= 1
        guard writes % Self.writesPerCheck == 0, !isBacklogged, let context else { return nil }
        isBacklogged = true
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { _ in
            self.isBacklogged = false
            if self.out != nil, !self.isClosed { self.requestFlush() }
        }
        return promise
    }

    /// Whether the output is small and stays here because of a backlog. When the connection closes, it does not.
    private var isCoalescing: Bool {
        guard isBacklogged, !needsFlush, !isClosed, machine.isOpen, let out else { return false }
        return out.readableBytes <= FrameEncoder.copySize
    }

    package func flush() {
        isFlushRequested = false
        guard !isCoalescing, let buffer = out else {
            if needsFlush {
                needsFlush = false
                context?.flush()
            }
            return
        }
        out = nil
        needsFlush = false
        countSent(buffer.readableBytes)
        context?.writeAndFlush(wrapOutboundOut(.byteBuffer(buffer)), promise: backlogPromise())
        loop.recycle(buffer)
    }
}

/// Writes one message in parts.
public struct MessageWriter: Sendable {
    let connection: WebSocketConnection

    /// Sends a part as a fragment. Suspends while the send buffer is full.
    ///
    /// A part of a text may end within a character, but all parts together must be UTF-8.
    ///
    /// - Throws: `WebSocketClosed`, `CancellationError`.
    public func write(_ data: ByteBuffer) async throws {
        guard data.readableBytes > 0 else { return }
        try await connection.writePart(data, isFinal: false)
    }

    /// Sends text as a fragment.
    public func write(_ text: String) async throws { try await write(ByteBuffer(string: text)) }
}
