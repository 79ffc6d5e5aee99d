import HTTPKit
import NIOCore
import Synchronization

/// The channel that a stream becomes when an extended CONNECT is accepted (RFC 8441): what is written to it goes out as
/// DATA frames, and what comes in DATA frames is read from it.
///
/// END_STREAM is the end of a direction, as FIN is of TCP's, and RST_STREAM is its reset (RFC 8441 §5). The window of the
/// stream is its backpressure.
///
/// Invariant: the state is touched on the event loop only. `isActive` and `isWritable` may be read on any thread.
final class TunnelChannel: Channel, ChannelCore, @unchecked Sendable {
    let allocator = ByteBufferAllocator()
    let eventLoop: any EventLoop
    let parent: (any Channel)?
    private let closePromise: EventLoopPromise<Void>
    private let active = Atomic(true)
    private let writable = Atomic(true)
    private var madePipeline: ChannelPipeline?

    /// The stream, until either side has ended it.
    private var stream: HTTP2Stream?
    private var pending = MarkedCircularBuffer<(ByteBuffer, EventLoopPromise<Void>?)>(initialCapacity: 4)
    private var unread = CircularBuffer<ByteBuffer>()
    private(set) var heldBytes = 0
    private var isReadWanted = false
    private var isInputEnded = false
    private var hasToldInputEnd = false
    private var waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 32 << 10, high: 64 << 10)

    init(stream: HTTP2Stream, parent: any Channel) {
        self.stream = stream
        self.parent = parent
        eventLoop = parent.eventLoop
        closePromise = parent.eventLoop.makePromise()
        madePipeline = ChannelPipeline(channel: self)
    }

    // MARK: Channel

    var closeFuture: EventLoopFuture<Void> { closePromise.futureResult }
    /// It is made by `init` and let go of when nobody can use the channel any more.
    var pipeline: ChannelPipeline {
        if let madePipeline { return madePipeline }
        let made = ChannelPipeline(channel: self)
        madePipeline = made
        return made
    }
    var localAddress: SocketAddress? { parent?.localAddress }
    var remoteAddress: SocketAddress? { parent?.remoteAddress }
    var isWritable: Bool { writable.load(ordering: .relaxed) }
    var isActive: Bool { active.load(ordering: .relaxed) }
    var _channelCore: any ChannelCore { self }

    func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> EventLoopFuture<Void> {
        eventLoop.submit { try self.set(option, value) }
    }

    func getOption<Option: ChannelOption>(_ option: Option) -> EventLoopFuture<Option.Value> {
        eventLoop.submit { try self.get(option) }
    }

    private func set<Option: ChannelOption>(_ option: Option, _ value: Option.Value) throws {
        switch option {
        case is ChannelOptions.Types.WriteBufferWaterMarkOption:
            if let mark = value as? ChannelOptions.Types.WriteBufferWaterMark { waterMark = mark }
        case is ChannelOptions.Types.AutoReadOption, is ChannelOptions.Types.AllowRemoteHalfClosureOption:
            break
        default: throw ChannelError.operationUnsupported
        }
    }

    private func get<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
        var value: Any?
        switch option {
        case is ChannelOptions.Types.AutoReadOption: value = true
        case is ChannelOptions.Types.AllowRemoteHalfClosureOption: value = true
        case is ChannelOptions.Types.WriteBufferWaterMarkOption: value = waterMark
        case is ChannelOptions.Types.BufferedWritableBytesOption: value = waiting
        default: break
        }
        guard let found = value as? Option.Value else { throw ChannelError.operationUnsupported }
        return found
    }

    var syncOptions: (any NIOSynchronousChannelOptions)? { Options(channel: self) }

    private struct Options: NIOSynchronousChannelOptions {
        let channel: TunnelChannel

        func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) throws {
            try channel.set(option, value)
        }

        func getOption<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
            try channel.get(option)
        }
    }

    // MARK: The stream's side

    /// The handlers are there: reading begins.
    func begin() {
        pipeline.fireChannelRegistered()
        pipeline.fireChannelActive()
        pipeline.read()
    }

    /// What has come in a DATA frame.
    func receive(_ data: ByteBuffer) {
        guard data.readableBytes > 0 else { return }
        unread.append(data)
        heldBytes += data.readableBytes
        deliver()
    }

    /// The client has ended its direction.
    func inputEnded() {
        guard !isInputEnded else { return }
        isInputEnded = true
        deliver()
    }

    /// The stream was reset, or the connection is closed.
    func streamEnded() {
        guard stream != nil else { return }
        stream = nil
        becomeInactive()
    }

    /// What waits in the stream has become less.
    func roomChanged() {
        guard !isWritable, waiting <= waterMark.low else { return }
        writable.store(true, ordering: .relaxed)
        pipeline.fireChannelWritabilityChanged()
    }

    private var waiting: Int { stream?.queued.count ?? 0 }

    private func deliver() {
        while isReadWanted, stream != nil, let data = unread.popFirst() {
            isReadWanted = false
            heldBytes -= data.readableBytes
            pipeline.fireChannelRead(data)
            pipeline.fireChannelReadComplete()
            stream?.credit()
            pipeline.read()
        }
        if isInputEnded, unread.isEmpty, !hasToldInputEnd, stream != nil {
            hasToldInputEnd = true
            pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
    }

    private func becomeInactive() {
        guard isActive else { return }
        active.store(false, ordering: .relaxed)
        writable.store(false, ordering: .relaxed)
        while let (_, promise) = pending.popFirst() { promise?.fail(ChannelError.ioOnClosedChannel) }
        unread.removeAll()
        heldBytes = 0
        pipeline.fireChannelInactive()
        pipeline.fireChannelUnregistered()
        eventLoop.execute {
            self.removeHandlers(pipeline: self.pipeline)
            self.closePromise.succeed()
            self.madePipeline = nil
        }
    }

    // MARK: ChannelCore

    func localAddress0() throws -> SocketAddress {
        guard let localAddress else { throw ChannelError.unknownLocalAddress }
        return localAddress
    }

    func remoteAddress0() throws -> SocketAddress {
        guard let remoteAddress else { throw ChannelError.operationUnsupported }
        return remoteAddress
    }

    func register0(promise: EventLoopPromise<Void>?) { promise?.succeed() }
    func registerAlreadyConfigured0(promise: EventLoopPromise<Void>?) { promise?.succeed() }

    func bind0(to: SocketAddress, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    func connect0(to: SocketAddress, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard stream != nil, case .byteBuffer(let buffer) = unwrapData(data, as: IOData.self) else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        pending.append((buffer, promise))
    }

    func flush0() {
        pending.mark()
        guard let stream else { return }
        while pending.hasMark, let (buffer, promise) = pending.popFirst() {
            stream.enqueue(buffer, promise: promise)
        }
        if isWritable, waiting > waterMark.high {
            writable.store(false, ordering: .relaxed)
            pipeline.fireChannelWritabilityChanged()
        }
    }

    func read0() {
        isReadWanted = true
        // Never at once: a handler that asks is in the midst of something.
        guard !unread.isEmpty || isInputEnded else { return }
        eventLoop.execute { self.stream?.loop.turn { self.deliver() } }
    }

    func close0(error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard let stream else {
            promise?.fail(ChannelError.alreadyClosed)
            return
        }
        switch mode {
        case .output:
            stream.finish(trailers: nil)
            promise?.succeed()
        case .input:
            promise?.fail(ChannelError.operationUnsupported)
        case .all:
            self.stream = nil
            stream.closeTunnel()
            becomeInactive()
            promise?.succeed()
        }
    }

    func triggerUserOutboundEvent0(_ event: Any, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    func channelRead0(_ data: NIOAny) {}

    func errorCaught0(error: any Error) {}
}

extension HTTP2Stream {
    /// The channel is closed by this side: an orderly end where all has been sent, else a reset (RFC 8441 §5).
    func closeTunnel() {
        tunnel = nil
        if queue.isEmpty, case .content = outgoing { finish(trailers: nil) }
        switch outgoing {
        case .ending, .ended:
            flush()
            if case .ended = outgoing { leaveIfDone() }
        case .head, .content:
            end(.reset)
            connection.reset(id, .cancel)
        }
    }
}
