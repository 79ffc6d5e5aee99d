public import HTTPKit
public import Logging

/// What the WebSocket endpoints of a server have in common. It is one of the values that requests begin with:
///
/// ```swift
/// var values = RequestValues()
/// values[WebSocketDefaults.self] = WebSocketDefaults(rooms: Rooms())
/// let server = try HTTPServer(values: values, routes: routes)
/// ```
/// OnePort sets it from the application.
public struct WebSocketDefaults: Sendable, RequestKey {
    /// The value of the key is a `WebSocketDefaults` itself.
    public typealias Value = WebSocketDefaults

    /// The options of endpoints that are declared without options.
    public var options: WebSocketOptions
    /// The topics that sockets can subscribe to by name. Without it, `subscribe` fails.
    public var rooms: Rooms?
    /// Logs the errors of endpoints.
    public var logger: Logger

    /// The defaults: no topics, and a logger with the label `WSKit`.
    public init(
        options: WebSocketOptions = WebSocketOptions(), rooms: Rooms? = nil,
        logger: Logger = Logger(label: "WSKit")
    ) {
        self.options = options
        self.rooms = rooms
        self.logger = logger
    }
}

extension Request {
    /// The defaults of the server that serves this request.
    var webSocketDefaults: WebSocketDefaults { self[WebSocketDefaults.self] ?? .standard }
}

extension WebSocketDefaults {
    /// The defaults of a server that sets none.
    fileprivate static let standard = WebSocketDefaults()
}
