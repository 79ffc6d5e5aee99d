public import HTTPKit
public import NIOCore

/// One end of a WebSocket connection (RFC 6455), for any task: on its own event loop it acts at once, from
/// elsewhere it hops there, in order.
///
/// A socket lives as long as the closure that serves it: when that returns, it closes with 1000; when it throws,
/// with 1011. Its messages are read by one task.
public class WebSocket: @unchecked Sendable, Identifiable, CustomStringConvertible {
    /// Tells this socket from all others.
    public final let id: WebSocketID
    /// The request that became this socket; `nil` for a client's.
    public final let request: Request?
    /// The subprotocol that was agreed on (RFC 6455 §1.9).
    public final let subprotocol: String?
    /// Whether permessage-deflate was agreed on (RFC 7692).
    public final let isCompressed: Bool
    /// The address of the peer.
    public final let remoteAddress: SocketAddress?
    /// Invariant: its state is touched on its event loop only, which debug builds assert.
    final let connection: WebSocketConnection

    init(
        id: WebSocketID = WebSocketID(), request: Request?, subprotocol: String?, isCompressed: Bool,
        remoteAddress: SocketAddress?, connection: WebSocketConnection
    ) {
        self.id = id
        self.request = request
        self.subprotocol = subprotocol
        self.isCompressed = isCompressed
        self.remoteAddress = remoteAddress
        self.connection = connection
    }

    /// The parameters of the route that became this socket.
    public final var parameters: PathParameters { request?.parameters ?? PathParameters() }

    /// The event loop of the connection.
    public final var eventLoop: any EventLoop { connection.loop.eventLoop }

    /// The id.
    public final var description: String { "WebSocket \(id)" }

    // MARK: Receiving

    /// The messages as they come, one task reading them. The sequence ends when the connection does; why, is in
    /// `closeReason` then. While nobody reads, at most `WSLimits.maxQueuedMessages` wait and the peer is held back.
    public final var messages: WebSocketMessages { WebSocketMessages(connection: connection) }

    /// The messages as text; binary ones are passed over.
    public final var texts: WebSocketTexts { WebSocketTexts(messages: messages) }

    /// Messages as values decoded from JSON. One that does not decode is a failure that names the field; the
    /// socket goes on.
    public final func messages<Value: Decodable & Sendable>(as type: Value.Type) -> WebSocketValues<Value> {
        WebSocketValues(messages: messages)
    }

    /// The messages in the parts they arrive in, where the endpoint asked for that with
    /// `WebSocketOptions.deliversParts`; otherwise each message is one part.
    public final var parts: WebSocketParts { WebSocketParts(connection: connection) }

    // MARK: Sending

    /// Sends a message. While the peer does not read and the send buffer is full, the caller is suspended.
    ///
    /// - Parameter compress: `false` sends it plain even where deflate was agreed on: for secrets beside text that
    ///   an attacker chooses (CRIME, BREACH).
    /// - Throws: `WebSocketClosed` when the connection is closing or closed, `CancellationError` when the task was
    ///   cancelled while it waited; then the message was not sent.
    public final func send(_ message: Message, compress: Bool = true) async throws {
        try await connection.send(message, compress: compress)
    }

    /// Sends text.
    public final func send(_ text: String, compress: Bool = true) async throws {
        try await connection.send(Message(text: text), compress: compress)
    }

    /// Sends binary data.
    public final func send(_ data: ByteBuffer, compress: Bool = true) async throws {
        try await connection.send(Message(binary: data), compress: compress)
    }

    /// Sends a value as a text message of JSON.
    public final func send(json value: some Encodable & Sendable, compress: Bool = true) async throws {
        try await connection.send(Message(kind: .text, payload: try JSON.encode(value)), compress: compress)
    }

    /// Sends a message piece by piece, each as a fragment (RFC 6455 §5.4), through constant memory; other sends wait
    /// until it is whole.
    public final func sendStream(
        _ kind: Message.Kind, compress: Bool = true, _ write: (MessageWriter) async throws -> Void
    ) async throws {
        try await connection.sendStream(kind, compress: compress, write)
    }

    /// Sends without waiting, for callbacks.
    ///
    /// On another thread than the event loop's the answer is about that moment: a connection that closes before
    /// the message has come to its loop takes it along, and a streamed message (`sendStream`) that has begun by then
    /// cannot be interrupted: the message is dropped, and counted in `ServerStatistics.messagesDropped`.
    ///
    /// - Returns: whether it was taken; a full send buffer takes nothing until `WebSocketHandler.onDrain`, nor does
    ///   a socket that is sending a stream.
    @discardableResult
    public final func trySend(_ message: Message, compress: Bool = true) -> SendOutcome {
        connection.trySend(message, compress: compress)
    }

    /// Sends a ping (RFC 6455 §5.5.2) and waits for its pong.
    ///
    /// - Returns: the time between.
    /// - Throws: `WebSocketClosed` when the connection ends first, `CancellationError`.
    @discardableResult
    public final func ping() async throws -> Duration {
        try await connection.ping()
    }

    // MARK: Closing

    /// Closes with 1000: sends a close frame (RFC 6455 §7.1.2) and waits until the other end has answered or the close
    /// timeout is over.
    public final func close() async { await connection.close(.normal, reason: "") }

    /// Closes with a code and a reason: sends a close frame (RFC 6455 §7.1.2) and waits until the other end has answered
    /// or the close timeout is over.
    ///
    /// - Parameter reason: at most 123 bytes of UTF-8.
    /// - Throws: ``CloseFrameError`` when the code must not be sent or the reason is too long. The socket stays open.
    public final func close(_ code: CloseCode = .normal, reason: String = "") async throws(CloseFrameError) {
        try ClosePayload.check(code, reason: reason)
        await connection.close(code, reason: reason)
    }

    /// Begins to close with 1000, without waiting, for callbacks.
    public final func beginClose() { connection.onLoop { $0.startClose(.normal, reason: "") } }

    /// Begins to close with a code and a reason, without waiting, for callbacks.
    ///
    /// - Parameter reason: at most 123 bytes of UTF-8.
    /// - Throws: ``CloseFrameError`` when the code must not be sent or the reason is too long. The socket stays open.
    public final func beginClose(_ code: CloseCode = .normal, reason: String = "") throws(CloseFrameError) {
        try ClosePayload.check(code, reason: reason)
        connection.onLoop { $0.startClose(code, reason: reason) }
    }

    /// Why the connection ended, once it has.
    public final var closeReason: CloseReason? {
        get async { await connection.onLoopAsync { $0.closeReason } }
    }
}

/// Tells one socket from all others: 128 random bits, written as a UUID is.
public struct WebSocketID: Hashable, Sendable, CustomStringConvertible {
    let high: UInt64
    let low: UInt64

    /// A new one.
    public init() {
        var generator = SystemRandomNumberGenerator()
        // The version and variant bits of a random UUID (RFC 9562 §5.4).
        high = generator.next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        low = generator.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    }

    /// 36 characters: 8-4-4-4-12 hexadecimal digits.
    public var description: String {
        func hex(_ value: UInt64, _ digits: Int) -> String {
            let text = String(value & (digits == 16 ? .max : (1 << UInt64(digits * 4)) - 1), radix: 16)
            return String(repeating: "0", count: digits - text.count) + text
        }
        return
            "\(hex(high >> 32, 8))-\(hex(high >> 16, 4))-\(hex(high, 4))-\(hex(low >> 48, 4))-\(hex(low, 12))"
    }
}

/// A socket with what its route's `admit` has returned.
public final class StatefulWebSocket<State: Sendable>: WebSocket, @unchecked Sendable {
    /// What `admit` has returned before the handshake was answered.
    public let state: State

    init(
        state: State, request: Request?, subprotocol: String?, isCompressed: Bool,
        remoteAddress: SocketAddress?,
        connection: WebSocketConnection
    ) {
        self.state = state
        super.init(
            request: request, subprotocol: subprotocol, isCompressed: isCompressed,
            remoteAddress: remoteAddress,
            connection: connection)
    }
}

/// What became of a message that was sent without waiting.
public enum SendOutcome: Sendable, Hashable {
    /// It is on its way.
    case sent
    /// The send buffer is full: it was not taken.
    case full
    /// The connection is closing or closed: it was not taken.
    case closed
}

/// Thrown by what needs an open connection.
public struct WebSocketClosed: Error, Sendable, CustomStringConvertible {
    /// Why it is closed; `nil` while the close handshake is under way.
    public let reason: CloseReason?

    /// An error with that reason.
    public init(reason: CloseReason?) { self.reason = reason }

    /// Names the reason.
    public var description: String {
        reason.map { "the WebSocket is closed: \($0)" } ?? "the WebSocket is closing"
    }
}

/// A socket served by callbacks on its event loop, without a task: for the highest rates and the smallest memory.
///
/// The callbacks must not block. Messages wait while the send buffer is full, so an answer per message always
/// finds room.
public protocol WebSocketHandler: Sendable {
    /// The handshake is done.
    func onOpen(_ socket: WebSocket)
    /// A message has come.
    func onMessage(_ message: Message, _ socket: WebSocket)
    /// The send buffer, which was full, has room again, or a stream that was being sent is whole.
    func onDrain(_ socket: WebSocket)
    /// The connection has ended.
    func onClose(_ reason: CloseReason, _ socket: WebSocket)
    /// The connection is about to end because of an error.
    func onError(_ error: any Error, _ socket: WebSocket)
}

extension WebSocketHandler {
    /// Does nothing.
    public func onOpen(_ socket: WebSocket) {}
    /// Does nothing.
    public func onDrain(_ socket: WebSocket) {}
    /// Does nothing.
    public func onClose(_ reason: CloseReason, _ socket: WebSocket) {}
    /// Does nothing.
    public func onError(_ error: any Error, _ socket: WebSocket) {}
}
