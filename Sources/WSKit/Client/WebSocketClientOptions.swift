public import HTTPTypes

/// The options of a client: how it connects, and its limits for the server.
public struct WebSocketClientOptions: Sendable {
    /// The subprotocols that the client offers, in order of preference.
    public var subprotocols: [String] = []
    /// Additional header fields for the handshake, such as Authorization, Cookie or Origin.
    public var fields: HTTPFields = [:]
    /// How messages are compressed if the server agrees.
    public var deflate: DeflateMode = .shared
    /// The limits for the server. By default the time that a message takes is not limited: servers may send a message
    /// piece by piece as they produce it, and a client has only one server.
    public var limits = WSLimits {
        $0.minMessageRate = 0
        $0.messageTimeout = nil
    }
    /// How long connecting and the handshake may take together.
    public var connectTimeout: Duration = .seconds(10)
    /// The maximum number of interim responses (1xx) from the server and the proxy before the 101. Above it the handshake
    /// fails with `ClientHandshakeError.tooManyInterimResponses`.
    public var maxInterimResponses = 8
    /// The maximum size in bytes of all responses of the handshake together, including interim responses and those of a
    /// proxy. Above it the handshake fails with `ClientHandshakeError.tooLarge`. Bytes after the 101 do not count.
    public var maxHandshakeSize = 64 << 10
    /// A proxy through which the client opens a tunnel with CONNECT (RFC 6455 §4.1 item 3). `nil` connects directly.
    public var proxy: Proxy?
    /// Encrypts the connections to `wss://` addresses; `nil` means that there are none.
    package var security: (any ClientSecurity)?
    /// Whether messages are delivered in parts as they arrive, through `WebSocket.parts`.
    public var deliversParts = false

    /// An HTTP proxy.
    public struct Proxy: Sendable, Hashable {
        /// The host name or IP address.
        public var host: String
        /// The port.
        public var port: Int
        /// The value of Proxy-Authorization, if the proxy requires one.
        public var authorization: String?

        /// Creates a proxy.
        public init(host: String, port: Int, authorization: String? = nil) {
            self.host = host
            self.port = port
            self.authorization = authorization
        }
    }

    /// The default options.
    public init() {}

    /// The default options, modified by `configure`.
    public init(_ configure: (inout WebSocketClientOptions) -> Void) {
        self.init()
        configure(&self)
    }
}
