import HTTPTypes
import Logging
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import HTTP2Kit
@testable import HTTPKit

/// A frame that the server has sent.
struct SentFrame: Equatable {
    let type: UInt8
    let flags: UInt8
    let stream: UInt32
    let payload: [UInt8]
    /// The fields of HEADERS, `name: value`.
    let fields: [String]

    var isEndStream: Bool { (type == 0 || type == 1) && flags & 1 == 1 }
    /// The number at the beginning of the payload, for RST_STREAM and WINDOW_UPDATE.
    var number: UInt32 { payload.prefix(4).reduce(0) { $0 << 8 | UInt32($1) } }
}

/// A connection on a channel without a socket: the test is the client and the clock.
final class HTTP2Wire {
    let channel = EmbeddedChannel()
    let loop: LoopContext
    let connection: HTTP2Connection
    private var output: [UInt8] = []
    private var decoder = HPACKDecoder()
    private let began = LoopInstant.now

    /// - Parameter settings: whether the client's SETTINGS are sent right away.
    init(
        limits: HTTP2Limits = HTTP2Limits(), http: HTTPLimits = HTTPLimits(), preface: Bool = true,
        isDraining: Bool = false, handler: @escaping Handler = { _ in .text("hello") }
    ) throws {
        loop = LoopContext(eventLoop: channel.embeddedEventLoop, turnBudget: .seconds(3600))
        let context = ServerContext(
            policy: ServerPolicy(
                limits: http, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }),
            responder: .function(handler))
        connection = HTTP2Connection(
            NewConnection(
                server: context, loop: loop, session: SecureSession(), refusal: nil, info: nil,
                unread: ByteBuffer()),
            limits: limits)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        if isDraining { loop.drain(deadline: began.advanced(by: .seconds(10))) }
        try channel.pipeline.syncOperations.addHandler(connection)
        run()
        guard preface else { return }
        try send(Array(FrameReader.preface.utf8) + frame(4, stream: 0))
        _ = try frames()
    }

    func run() {
        channel.embeddedEventLoop.run()
        while loop.hasDeferredWork { channel.embeddedEventLoop.advanceTime(by: .microseconds(50)) }
    }

    /// Lets `time` pass, and ticks.
    func pass(_ time: Duration) {
        loop.clockOffset += LoopInstant(milliseconds: 0).advanced(by: time).milliseconds
        loop.turn { connection.tick(now: loop.now) }
        run()
    }

    // MARK: The client

    func frame(_ type: UInt8, _ flags: UInt8 = 0, stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeInteger(UInt32(payload.count) << 8 | UInt32(type))
        buffer.writeInteger(flags)
        buffer.writeInteger(stream)
        buffer.writeBytes(payload)
        return Array(buffer.readableBytesView)
    }

    /// A block of literals without indexing.
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        func string(_ text: String) -> [UInt8] {
            let count = text.utf8.count
            if count < 127 { return [UInt8(count)] + Array(text.utf8) }
            var rest = count - 127
            var bytes: [UInt8] = [127]
            while rest >= 128 {
                bytes.append(UInt8(rest & 127 | 128))
                rest >>= 7
            }
            return bytes + [UInt8(rest)] + Array(text.utf8)
        }
        return fields.flatMap { [0x00] + string($0.0) + string($0.1) }
    }

    static func head(_ method: String, _ path: String, _ more: [(String, String)] = []) -> [(String, String)]
    {
        [(":method", method), (":scheme", "https"), (":path", path), (":authority", "example.com")] + more
    }

    func send(_ bytes: [UInt8]) throws {
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        run()
    }

    /// Sends a request without content.
    func get(_ path: String = "/", stream: UInt32, _ more: [(String, String)] = []) throws {
        try send(frame(1, 5, stream: stream, Self.block(Self.head("GET", path, more))))
    }

    /// Sends the head of a request whose content follows.
    func post(_ path: String = "/", stream: UInt32, _ more: [(String, String)] = []) throws {
        try send(frame(1, 4, stream: stream, Self.block(Self.head("POST", path, more))))
    }

    func data(_ text: String, stream: UInt32, end: Bool = false) throws {
        try send(frame(0, end ? 1 : 0, stream: stream, Array(text.utf8)))
    }

    func windowUpdate(_ increment: UInt32, stream: UInt32) throws {
        try send(frame(8, stream: stream, withUnsafeBytes(of: increment.bigEndian) { Array($0) }))
    }

    func reset(_ stream: UInt32, _ code: UInt32 = 8) throws {
        try send(frame(3, stream: stream, withUnsafeBytes(of: code.bigEndian) { Array($0) }))
    }

    func settings(_ values: [(UInt16, UInt32)]) throws {
        var buffer = ByteBuffer()
        for (name, value) in values {
            buffer.writeInteger(name)
            buffer.writeInteger(value)
        }
        try send(frame(4, stream: 0, Array(buffer.readableBytesView)))
    }

    /// The frames that were sent since the last call.
    func frames() throws -> [SentFrame] {
        run()
        while let part = try channel.readOutbound(as: IOData.self) {
            if case .byteBuffer(let buffer) = part { output += Array(buffer.readableBytesView) }
        }
        var all: [SentFrame] = []
        var start = 0
        while output.count - start >= 9 {
            let length = output[start..<start + 3].reduce(0) { $0 << 8 | Int($1) }
            let stream = output[start + 5..<start + 9].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            guard output.count - start >= 9 + length else { break }
            let payload = Array(output[start + 9..<start + 9 + length])
            all.append(
                SentFrame(
                    type: output[start + 3], flags: output[start + 4], stream: stream, payload: payload,
                    fields: output[start + 3] == 1 ? try decoder.lines(payload) : []))
            start += 9 + length
        }
        output.removeFirst(start)
        return all
    }

    /// What was sent since the last call, as text: the fields of heads as the first and those that tests look at, content,
    /// the ends.
    func summary() throws -> [String] {
        try frames().map { frame in
            let end = frame.isEndStream ? " end" : ""
            switch frame.type {
            case 0: return "\(frame.stream) data \(String(decoding: frame.payload, as: UTF8.self))\(end)"
            case 1:
                let lines = frame.fields.filter {
                    !$0.hasPrefix("date") && !$0.hasPrefix("content-type") && !$0.hasPrefix("vary")
                }
                return "\(frame.stream) \(lines.joined(separator: ", "))\(end)"
            case 3: return "\(frame.stream) reset \(frame.number)"
            case 4: return frame.flags == 1 ? "settings ack" : "settings"
            case 6: return "ping \(frame.flags)"
            case 7:
                return
                    "goaway \(frame.number) \(frame.payload.dropFirst(4).prefix(4).reduce(0) { $0 << 8 | Int($1) })"
            case 8: return "\(frame.stream) window \(frame.number)"
            default: return "\(frame.type)"
            }
        }
    }
}

/// What handlers have seen, in order.
final class Notes: Sendable {
    private let entries = Mutex<[String]>([])
    func add(_ entry: String) { entries.withLock { $0.append(entry) } }
    var all: [String] { entries.withLock { $0 } }
}
