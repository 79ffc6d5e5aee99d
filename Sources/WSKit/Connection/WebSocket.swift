public import HTTPKit
public import NIOCore

/// One end of a WebSocket connection (RFC 6455).
///
/// A socket may be used from any task. Calls on its event loop take effect immediately, and calls from elsewhere hop to
/// the event loop, in order.
///
/// A socket that is served by a closure closes when the closure ends: with 1000 if it returns, with 1011 if it throws.
/// Only one task may read its messages at a time.
public class WebSocket: @unchecked Sendable, Identifiable, CustomStringConvertible {
    /// A unique identifier.
    public final let id: WebSocketID
    /// The request that was upgraded to this socket; `nil` for a client.
    public final let request: Request?
    /// The negotiated subprotocol; `nil` if there is none (RFC 6455 §1.9).
    public final let subprotocol: String?
    /// Whether permessage-deflate was negotiated (RFC 7692).
    public final let isCompressed: Bool
    /// The address of the peer.
    public final let remoteAddress: SocketAddress?
    /// Invariant: its state is accessed on its event loop only, which debug builds assert.
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

    /// The path parameters of the socket's route.
    public final var parameters: PathParameters { request?.parameters ?? PathParameters() }

    /// The event loop of the connection.
    public final var eventLoop: any EventLoop { connection.loop.eventLoop }

    /// The identifier.
    public final var description: String { "WebSocket \(id)" }

    // MARK: Receiving

    /// The received messages. Only one task may read them at a time.
    ///
    /// The sequence ends when the connection ends; `closeReason` then says why. While nobody reads, the connection stops
    /// reading at `WSLimits.maxQueuedMessages` or `WSLimits.maxQueuedBytes`.
    public final var messages: WebSocketMessages { WebSocketMessages(connection: connection) }

    /// The received text messages as strings. Binary messages are skipped.
    public final var texts: WebSocketTexts { WebSocketTexts(messages: messages) }

    /// The received messages, decoded from JSON. A message that cannot be decoded is a failure that names the field, and
    /// the socket stays open.
    public final func messages<Value: Decodable & Sendable>(as type: Value.Type) -> WebSocketValues<Value> {
        WebSocketValues(messages: messages)
    }

    /// The received messages in parts as they arrive, if `WebSocketOptions.deliversParts` is set. Otherwise each message
    /// is a single part.
    public final var parts: WebSocketParts { WebSocketParts(connection: connection) }

    // MARK: Sending

    /// Sends a message. Suspends while the send buffer is full.
    ///
    /// - Parameter compress: `false` sends the message uncompressed even if compression was negotiated. Use it for messages
    ///   that contain a secret together with text that an attacker can choose (CRIME, BREACH).
    /// - Throws: `WebSocketClosed` if the connection is closing or closed, `CancellationError` if the task was cancelled
    ///   while it waited. The message was then not sent.
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

    /// Sends a value as a JSON text message.
    public final func send(json value: some Encodable & Sendable, compress: Bool = true) async throws {
        try await connection.send(Message(kind: .text, payload: try JSON.encode(value)), compress: compress)
    }

    /// Sends a message in parts with constant memory. Each part is sent as a fragment (RFC 6455 §5.4). Other sends wait
    /// until the message is complete.
    public final func sendStream(
        _ kind: Message.Kind, compress: Bool = true, _ write: (MessageWriter) async throws -> Void
    ) async throws {
        try await connection.sendStream(kind, compress: compress, write)
    }

    /// Sends a message without waiting, for callbacks.
    ///
    /// From a thread other than the event loop's, the result describes that moment. A message is lost if the connection
    /// closes before the message reaches the event loop. It is dropped, and counted in `ServerStatistics.messagesDropped`,
    /// if a streamed message (`sendStream`) has begun by then, because that cannot be interrupted.
    ///
    /// - Returns: whether the message was accepted. No message is accepted while the send buffer is full, until
    ///   `WebSocketHandler.onDrain`, or while the socket sends a stream.
    @discardableResult
    public final func trySend(_ message: Message, compress: Bool = true) -> SendOutcome {
        connection.trySend(message, compress: compress)
    }

    /// Sends a ping (RFC 6455 §5.5.2) and waits for its pong.
    ///
    /// - Returns: the round-trip time.
    /// - Throws: `WebSocketClosed` if the connection ends first, `CancellationError`.
    @discardableResult
    public final func ping() async throws -> Duration {
        try await connection.ping()
    }

    // MARK: Closing

    /// Closes with 1000: sends a close frame (RFC 6455 §7.1.2) and waits for the peer's reply, up to the close timeout.
    public final func close() async { await connection.close(.normal, reason: "") }

    /// Closes with a code and a reason: sends a close frame (RFC 6455 §7.1.2) and waits for the peer's reply, up to the
    /// close timeout.
    ///
    /// - Parameter reason: at most 123 bytes of UTF-8.
    /// - Throws: ``CloseFrameError`` when the code must not be sent or the reason is too long. The socket stays open.
    public final func close(_ code: CloseCode = .normal, reason: String = "") async throws(CloseFrameError) {
        try ClosePayload.check(code, reason: reason)
        await connection.close(code, reason: reason)
    }

    /// Begins to close with 1000 without waiting, for callbacks.
    public final func beginClose() { connection.onLoop { $0.startClose(.normal, reason: "") } }

    /// Begins to close with a code and a reason without waiting, for callbacks.
    ///
    /// - Parameter reason: at most 123 bytes of UTF-8.
    /// - Throws: ``CloseFrameError`` when the code must not be sent or the reason is too long. The socket stays open.
    public final func beginClose(_ code: CloseCode = .normal, reason: String = "") throws(CloseFrameError) {
        try ClosePayload.check(code, reason: reason)
        connection.onLoop { $0.startClose(code, reason: reason) }
    }

    /// Why the connection ended; `nil` while it is open.
    public final var closeReason: CloseReason? {
        get async { await connection.onLoopAsync { $0.closeReason } }
    }
}

/// A unique identifier of a socket: 128 random bits, written as a UUID.
public struct WebSocketID: Hashable, Sendable, CustomStringConvertible {
    let high: UInt64
    let low: UInt64

    /// Creates a random identifier.
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

/// A socket with the value that its route's `admit` closure returned.
public final class StatefulWebSocket<State: Sendable>: WebSocket, @unchecked Sendable {
    /// The value that `admit` returned before the handshake response was sent.
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

/// The result of sending a message without waiting.
public enum SendOutcome: Sendable, Hashable {
    /// The message was accepted.
    case sent
    /// The message was not accepted because the send buffer is full.
    case full
    /// The message was not accepted because the connection is closing or closed.
    case closed
}

/// Thrown by operations that need an open connection.
public struct WebSocketClosed: Error, Sendable, CustomStringConvertible {
    /// Why the connection is closed; `nil` during the close handshake.
    public let reason: CloseReason?

    /// Creates an error with a reason.
    public init(reason: CloseReason?) { self.reason = reason }

    /// A description with the reason.
    public var description: String {
        reason.map { "the WebSocket is closed: \($0)" } ?? "the WebSocket is closing"
    }
}

/// Serves sockets with callbacks on the event loop, without a task for each socket. This gives the highest rates with the
/// least memory.
///
/// The callbacks must not block. While the send buffer is full, no messages are delivered, so there is always room for
/// one reply to each message.
public protocol WebSocketHandler: Sendable {
    /// Called after the handshake.
    func onOpen(_ socket: WebSocket)
    /// Called for each received message.
    func onMessage(_ message: Message, _ socket: WebSocket)
    /// Called when a full send buffer has room again, or when a streamed message is complete.
    func onDrain(_ socket: WebSocket)
    /// Called when the connection has ended.
    func onClose(_ reason: CloseReason, _ socket: WebSocket)
    /// Called before the connection is closed because of an error.
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
