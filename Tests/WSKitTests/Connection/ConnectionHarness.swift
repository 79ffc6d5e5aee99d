import HTTPKit
import Logging
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import WSKit

/// A channel without a socket or a thread. Several of them may share an event loop.
struct EmbeddedWire {
    let channel: EmbeddedChannel
    let loop: LoopContext

    init(on neighbour: EmbeddedWire? = nil) throws {
        if let neighbour {
            channel = EmbeddedChannel(loop: neighbour.channel.embeddedEventLoop)
            loop = neighbour.loop
        } else {
            channel = EmbeddedChannel()
            loop = LoopContext(eventLoop: channel.embeddedEventLoop)
        }
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    /// Runs what is ready, and what was put off to later turns.
    func run() {
        channel.embeddedEventLoop.run()
        while loop.hasDeferredWork { channel.embeddedEventLoop.advanceTime(by: .microseconds(50)) }
    }

    /// All bytes that were sent since the last call.
    func sent() throws -> [UInt8] {
        run()
        var bytes: [UInt8] = []
        while let part = try channel.readOutbound(as: IOData.self) {
            if case .byteBuffer(let buffer) = part { bytes += Array(buffer.readableBytesView) }
        }
        return bytes
    }
}

/// A server's connection on a channel without a socket; the test is the peer and the clock.
struct ConnectionHarness {
    let wire: EmbeddedWire
    let connection: WebSocketConnection
    let began = LoopInstant.now

    init(
        consumer: WebSocketConnection.Consumer = .task, deflate: DeflateParameters? = nil,
        mode: DeflateMode = .shared,
        rooms: Rooms? = nil, delivery: MessageAssembler.Delivery = .whole,
        on neighbour: ConnectionHarness? = nil, limits: (inout WSLimits) -> Void = { _ in }
    ) throws {
        wire = try EmbeddedWire(on: neighbour?.wire)
        let loop = wire.loop
        let limits = WSLimits(limits)
        let machine = WebSocketMachine(
            role: .server, limits: limits, deflate: deflate, mode: mode,
            shared: SocketLoop.of(loop).codecs, delivery: delivery,
            now: NIODeadline(began))
        connection = WebSocketConnection(
            loop: loop, machine: machine,
            service: SocketService(
                limits: SharedLimits(limits), consumer: consumer, topics: rooms,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, route: "/test"))
        try wire.channel.pipeline.syncOperations.addHandler(connection)
    }

    var channel: EmbeddedChannel { wire.channel }
    var loop: LoopContext { wire.loop }

    /// Runs `body` as the socket's closure until it suspends.
    @discardableResult
    func serve(_ body: @escaping @Sendable (WebSocket) async throws -> Void) -> WebSocket {
        let socket = open()
        loop.turn { connection.run { try await body(socket) } }
        run()
        return socket
    }

    func open() -> WebSocket {
        WebSocketConnection.Parts(
            connection: connection, request: nil, subprotocol: nil, isCompressed: false, remoteAddress: nil
        ).openSocket()
    }

    func run() { wire.run() }

    func receive(_ bytes: [UInt8]) throws {
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        run()
    }

    func tick(after time: Duration) {
        loop.turn { connection.tick(now: began.advanced(by: time)) }
        run()
    }

    /// The peer does not read, or reads again.
    func setWritable(_ isWritable: Bool) {
        channel.isWritable = isWritable
        channel.pipeline.fireChannelWritabilityChanged()
        run()
    }

    /// The peer closes its side, or the whole transport ends.
    func endInput() {
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        run()
    }

    /// All bytes that were sent since the last call.
    func sent() throws -> [UInt8] { try wire.sent() }
}

/// What tasks and callbacks have seen, in order.
final class Journal: Sendable {
    private let entries = Mutex<[String]>([])
    func note(_ entry: String) { entries.withLock { $0.append(entry) } }
    var all: [String] { entries.withLock { $0 } }
}

struct Callbacks: WebSocketHandler {
    let journal: Journal
    func onMessage(_ message: Message, _ socket: WebSocket) {
        journal.note(message.text ?? "binary")
        socket.trySend(message)
    }
    func onDrain(_ socket: WebSocket) { journal.note("drain") }
    func onClose(_ reason: CloseReason, _ socket: WebSocket) { journal.note("close \(reason.code.rawValue)") }
    func onError(_ error: any Error, _ socket: WebSocket) { journal.note("error") }
}

func closeFrame(_ code: UInt16, key: [UInt8]? = key) -> [UInt8] {
    frame(0x88, [UInt8(code >> 8), UInt8(code & 255)], key: key)
}
