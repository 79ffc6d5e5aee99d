import HTTPTypes
import NIOCore
import NIOEmbedded

@testable import HTTPKit

/// One connection without a socket, a thread, or a clock but the test's.
///
/// Everything happens on the thread of the test, which therefore is no asynchronous function.
final class Wire {
    let loop: LoopContext
    let connection: HTTPConnection
    let transport: StubTransport
    let log: NotedLog
    private let channel: EmbeddedChannel
    private var skipped: Duration = .zero

    /// - Parameter neighbour: another connection, whose loop this one shares.
    init(
        limits: HTTPLimits = HTTPLimits(), isAdmitted: Bool = true, draining: LoopInstant? = nil,
        log: NotedLog = NotedLog(), clientLog: ClientLog? = nil, isProxy: Bool = false,
        errorResponse: ErrorResponder? = nil, on neighbour: Wire? = nil, responder: @escaping Handler
    ) throws {
        self.log = log
        if let neighbour {
            channel = EmbeddedChannel(loop: neighbour.channel.embeddedEventLoop)
            loop = neighbour.loop
        } else {
            channel = EmbeddedChannel()
            loop = LoopContext(eventLoop: channel.embeddedEventLoop, turnBudget: limits.turnBudget)
        }
        if let draining { loop.drain(deadline: draining) }
        let proxies: (@Sendable (SocketAddress) -> Bool)? = if isProxy { { _ in true } } else { nil }
        let server = ServerContext(
            policy: ServerPolicy(
                limits: limits, logger: log.logger, isProxy: proxies, errorResponse: errorResponse,
                clientLog: clientLog),
            responder: .function(responder))
        connection = HTTPConnection(
            server: server, loop: loop, refusal: isAdmitted ? nil : .tooMany)
        transport = StubTransport(highWaterMark: limits.writeBufferSize)
        try channel.pipeline.syncOperations.addHandler(transport)
        try channel.pipeline.syncOperations.addHandler(connection)
        transport.setWritable = { [channel] in channel.isWritable = $0 }
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
        settle()
    }

    /// Whether the channel is closed altogether.
    var isClosed: Bool { !channel.isActive }
    /// Whether the server has closed its side, or everything.
    var isEnded: Bool { isClosed || transport.isOutputClosed }

    /// Delivers octets as one read.
    func send(_ bytes: some Sequence<UInt8>) {
        deliver(bytes)
        settle()
    }

    /// Delivers octets as one read, and runs nothing that is put off to a later turn.
    func deliver(_ bytes: some Sequence<UInt8>) {
        guard channel.isActive else { return }
        transport.isReading = false
        channel.pipeline.fireChannelRead(ByteBuffer(bytes: bytes))
        channel.pipeline.fireChannelReadComplete()
        channel.pipeline.read()
    }

    func send(_ text: String) { send(text.utf8) }

    /// The client closes its side.
    func sendEnd() {
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        settle()
    }

    /// The client is gone.
    func hangUp() {
        channel.close(promise: nil)
        settle()
    }

    /// Runs what is ready, and what was put off to later turns.
    func settle() {
        channel.embeddedEventLoop.run()
        while loop.hasDeferredWork { runNextTurn() }
    }

    /// Runs what was put off, for one turn.
    func runNextTurn() { channel.embeddedEventLoop.advanceTime(by: .microseconds(50)) }

    /// What has been sent since the last call.
    func received() -> String {
        var text = ""
        while let data = try? channel.readOutbound(as: IOData.self) {
            if case .byteBuffer(let buffer) = data { text += String(buffer: buffer) }
        }
        return text
    }

    /// How much has been sent since the last call.
    func receivedCount() -> Int {
        var count = 0
        while let data = try? channel.readOutbound(as: IOData.self) { count += data.readableBytes }
        return count
    }

    /// Sends a request and takes the answers.
    func exchange(_ text: String) -> String {
        send(text)
        return received()
    }

    /// The time is `duration` later than at the last call.
    func pass(_ duration: Duration) {
        skipped += duration
        let now = LoopInstant.now.advanced(by: skipped)
        loop.turn { connection.tick(now: now) }
        settle()
    }

    /// The time is `duration` later, for the loop's own clock as well.
    func move(_ duration: Duration) {
        loop.clockOffset += LoopInstant(milliseconds: 0).advanced(by: duration).milliseconds
        pass(duration)
    }

    /// Returns when the loop's coarse clock has moved on, so that a deadline set anew is another one.
    func waitForClock() {
        let start = LoopInstant.now
        while LoopInstant.now == start {}
    }

    /// Has the event loop's own timers run that are due within `duration`.
    func runTimers(_ duration: TimeAmount) { channel.embeddedEventLoop.advanceTime(by: duration) }

    /// The client takes nothing until `resumeTaking`.
    func stopTaking() { transport.isStuck = true }

    func resumeTaking() {
        transport.release()
        settle()
    }

    func drain(within time: Duration) {
        loop.drain(deadline: LoopInstant.now.advanced(by: skipped + time))
        settle()
    }

    func finish() {
        if channel.isActive { channel.close(promise: nil) }
        settle()
    }
}

/// Runs `test` on a connection whose requests `responder` answers.
@discardableResult
func withWire<Result>(
    limits: HTTPLimits = HTTPLimits(), isAdmitted: Bool = true, draining: LoopInstant? = nil,
    isProxy: Bool = false, errorResponse: ErrorResponder? = nil, _ responder: @escaping Handler,
    test: (Wire) throws -> Result
) throws -> Result {
    let wire = try Wire(
        limits: limits, isAdmitted: isAdmitted, draining: draining, isProxy: isProxy,
        errorResponse: errorResponse, responder: responder)
    defer { wire.finish() }
    return try test(wire)
}

/// The transport under the connection: it can refuse to take octets, and knows a closed side from a closed channel.
final class StubTransport: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = IOData

    private let highWaterMark: Int
    private var context: ChannelHandlerContext?
    var setWritable: (Bool) -> Void = { _ in }
    var isStuck = false
    var isReading = false
    private(set) var isOutputClosed = false
    private(set) var flushes = 0
    /// Octets that wait while the client takes none.
    private(set) var waiting = 0

    init(highWaterMark: Int) { self.highWaterMark = highWaterMark }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        waiting += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
        if isStuck, waiting > highWaterMark {
            setWritable(false)
            context.fireChannelWritabilityChanged()
        }
    }

    func flush(context: ChannelHandlerContext) {
        flushes += 1
        guard !isStuck else { return }
        waiting = 0
        context.flush()
    }

    func read(context: ChannelHandlerContext) { isReading = true }

    func release() {
        isStuck = false
        waiting = 0
        guard let context else { return }
        setWritable(true)
        context.flush()
        context.fireChannelWritabilityChanged()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else { return context.close(mode: mode, promise: promise) }
        isOutputClosed = true
        promise?.succeed()
    }
}

/// A point at which handlers wait for the test. It is used on one thread only.
final class Gate: @unchecked Sendable {
    private var waiters: [UnsafeContinuation<Void, Never>] = []
    private(set) var arrivals = 0

    func pass() async {
        arrivals += 1
        await withUnsafeContinuation { waiters.append($0) }
    }

    func open() {
        let all = waiters
        waiters = []
        for waiter in all { waiter.resume() }
    }
}

/// What handlers tell the test. It is used on one thread only.
final class Notes: @unchecked Sendable {
    private(set) var lines: [String] = []
    func add(_ line: String) { lines.append(line) }
}

/// The status codes of the answers in `text`, interim ones too.
func statuses(_ text: String) -> [Int] {
    text.components(separatedBy: "HTTP/1.1 ").dropFirst().compactMap { Int($0.prefix(3)) }
}

/// The content behind the first head.
func content(_ text: String) -> String {
    let parts = text.components(separatedBy: "\r\n\r\n")
    return parts.dropFirst().joined(separator: "\r\n\r\n")
}

extension String {
    func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = unicodeScalars[...]
        let wanted = Array(separator.unicodeScalars)
        var part = String.UnicodeScalarView()
        while let first = rest.first {
            if rest.starts(with: wanted) {
                parts.append(String(part))
                part = String.UnicodeScalarView()
                rest = rest.dropFirst(wanted.count)
            } else {
                part.append(first)
                rest = rest.dropFirst()
            }
        }
        return parts + [String(part)]
    }

    /// Whether `other` is in it, octet by octet: a line end is no character here.
    func has(_ other: String) -> Bool { components(separatedBy: other).count > 1 }
}

extension ConnectionInfo {
    /// The connection of a request that nobody has sent.
    static func unconnected() -> ConnectionInfo {
        ConnectionInfo(
            remoteAddress: nil, loop: LoopContext(eventLoop: EmbeddedEventLoop()),
            policy: ServerPolicy(limits: HTTPLimits(), logger: NotedLog().logger))
    }
}
