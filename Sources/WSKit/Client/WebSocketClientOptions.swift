public import HTTPTypes

/// How a client connects, and what it holds the server to.
public struct WebSocketClientOptions: Sendable {
    /// The subprotocols that are asked for, the preferred first.
    public var subprotocols: [String] = []
    /// Fields to send beside those of the handshake, such as Authorization, Cookie or Origin.
    public var fields: HTTPFields = [:]
    /// How messages are compressed, where the server agrees.
    public var deflate: DeflateMode = .shared
    /// What the server is held to. By default a message may take as long as it likes: servers send some piece by piece as
    /// they come into being, and there is only one server.
    public var limits = WSLimits {
        $0.minMessageRate = 0
        $0.messageTimeout = nil
    }
    /// How long connecting and the handshake may take together.
    public var connectTimeout: Duration = .seconds(10)
    /// How many interim responses (1xx) a server and its proxy may send before the 101; one more fails the handshake
    /// with `ClientHandshakeError.tooManyInterimResponses`.
    public var maxInterimResponses = 8
    /// How many bytes all responses of the handshake may have together, those of a proxy and interim ones included;
    /// more fails it with `ClientHandshakeError.tooLarge`. What follows the 101 does not count.
    public var maxHandshakeSize = 64 << 10
    /// A proxy that is asked for a tunnel with CONNECT (RFC 6455 §4.1 item 3); `nil` connects directly.
    public var proxy: Proxy?
    /// Gives messages in the parts they arrive in, through `WebSocket.parts`.
    public var deliversParts = false

    /// A proxy.
    public struct Proxy: Sendable, Hashable {
        /// Its name or address.
        public var host: String
        /// Its port.
        public var port: Int
        /// The value of Proxy-Authorization, where it wants one.
        public var authorization: String?

        /// A proxy at `host` and `port`.
        public init(host: String, port: Int, authorization: String? = nil) {
            self.host = host
            self.port = port
            self.authorization = authorization
        }
    }

    /// The defaults.
    public init() {}

    /// The defaults, changed by `configure`.
    public init(_ configure: (inout WebSocketClientOptions) -> Void) {
        self.init()
        configure(&self)
    }
}
