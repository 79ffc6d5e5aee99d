/// Sockets that are told the same things.
///
/// It may be used from any task. A socket that closes leaves by itself.
public final class WebSocketCollection: Sendable {
    private let sockets = SocketSet()
    private let policy: SlowClientPolicy

    /// An empty collection.
    ///
    /// - Parameter slowClients: what a broadcast does about a socket whose send buffer is full.
    public init(slowClients: SlowClientPolicy = .default) { policy = slowClients.checked }

    /// Adds a socket; one that is there or is closed is not added again.
    public func add(_ socket: WebSocket) { sockets.add(socket, policy: policy) }

    /// Takes a socket out.
    public func remove(_ socket: WebSocket) { sockets.remove(socket, all: true) }

    /// How many sockets there are.
    public var count: Int { sockets.count }

    /// The sockets that are there now.
    public var connections: [WebSocket] {
        get async { await sockets.all() }
    }

    /// Sends a message to all, or to all but one. It is encoded and compressed once for all of them.
    public func broadcast(_ message: Message, except excluded: WebSocket? = nil) {
        sockets.broadcast(PreparedMessage(message), except: excluded)
    }

    /// Sends text to all, or to all but one.
    public func broadcast(_ text: String, except excluded: WebSocket? = nil) {
        broadcast(Message(text: text), except: excluded)
    }
}
