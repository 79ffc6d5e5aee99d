/// A set of sockets that receive the same broadcasts.
///
/// A collection may be used from any task. A socket is removed when it closes.
public final class WebSocketCollection: Sendable {
    private let sockets = SocketSet()
    private let policy: SlowClientPolicy

    /// Creates an empty collection.
    ///
    /// - Parameter slowClients: what happens to a broadcast message for a socket whose send buffer is full.
    public init(slowClients: SlowClientPolicy = .default) { policy = slowClients.checked }

    /// Adds a socket. Does nothing if the socket is closed or already in the collection.
    public func add(_ socket: WebSocket) { sockets.add(socket, policy: policy) }

    /// Removes a socket.
    public func remove(_ socket: WebSocket) { sockets.remove(socket, all: true) }

    /// How many sockets there are.
    public var count: Int { sockets.count }

    /// The current sockets.
    public var connections: [WebSocket] {
        get async { await sockets.all() }
    }

    /// Sends a message to all sockets, or to all but one. It is encoded and compressed once for all of them.
    public func broadcast(_ message: Message, except excluded: WebSocket? = nil) {
        sockets.broadcast(PreparedMessage(message), except: excluded)
    }

    /// Sends text to all sockets, or to all but one.
    public func broadcast(_ text: String, except excluded: WebSocket? = nil) {
        broadcast(Message(text: text), except: excluded)
    }
}
