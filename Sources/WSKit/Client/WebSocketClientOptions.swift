public import HTTPTypes

/// How a client connects, and what it holds the server to.
public struct WebSocketClientOptions: Sendable {
    /// The subprotocols that are asked for, the preferred first.
    public var subprotocols: [String] = []
    /// Fields to send beside those of the handshake, such as Authorization, Cookie or Origin.
    public var fields: HTTPFields = [:]
    /// How messages are compressed, where the server agrees.
    public var deflate: DeflateMode = .shared
    /// What the server is held to.
    public var limits = WSLimits()
    /// How long connecting and the handshake may take together.
    public var connectTimeout: Duration = .seconds(10)
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

/// When a client that was disconnected tries again: after pauses that grow, each drawn by chance so that many
/// clients do not come back at once.
public struct ReconnectPolicy: Sendable {
    /// The bound of the first pause.
    public var initialDelay: Duration = .milliseconds(250)
    /// The bound of the longest pause.
    public var maxDelay: Duration = .seconds(30)
    /// By how much the bound grows each time.
    public var factor = 2.0
    /// How often it tries in a row before it gives up; `nil` never gives up.
    public var maxAttempts: Int?

    /// The defaults: a quarter of a second at first, half a minute at most, for ever.
    public init() {}

    /// The pause before attempt `number`, which counts from 0; `random` is within 0..<1.
    ///
    /// - Returns: between half of the bound and the bound.
    public func delay(before number: Int, random: Double) -> Duration {
        var bound = initialDelay
        for _ in 0..<min(number, 64) where bound < maxDelay { bound = min(bound * factor, maxDelay) }
        return min(bound, maxDelay) * (0.5 + 0.5 * min(max(random, 0), 1))
    }
}
