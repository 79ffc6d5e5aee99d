/// Every number that bounds what a client may ask of the server, in one place.
///
/// The defaults are safe facing the internet. Sizes are in octets.
public struct HTTPLimits: Sendable, Hashable {
    /// The longest request target (RFC 9112 §3); over it the answer is 414.
    public var maxTargetLength = 16 << 10

    /// The longest method token; over it the answer is 501 (RFC 9110 §9.1).
    public var maxMethodLength = 64

    /// The size of all field lines of a head, or of a trailer section, together; over it the answer is 431.
    public var maxFieldSectionSize = 32 << 10

    /// How many field lines a head, or a trailer section, may have; over it the answer is 431.
    public var maxFieldCount = 256

    /// The largest request content that handlers are given; over it the answer is 413. A route may set its own.
    public var maxBodySize = 2 << 20

    /// All chunk extensions of one request together (RFC 9112 §7.1.1); over it the answer is 400.
    public var maxChunkExtensionsSize = 16 << 10

    /// How much unread content of a request is read and dropped so that its connection can go on
    /// (RFC 9112 §9.3); with more to come the connection closes.
    public var maxDiscardedBody = 256 << 10

    /// How many octets of request content wait for a handler before the connection stops reading.
    public var bodyBufferSize = 64 << 10

    /// How many octets of an answer wait for a client before a writer is suspended.
    public var writeBufferSize = 256 << 10

    /// The longest binary PROXY header in bytes, its vectors included; a longer one closes the connection. It counts
    /// only for listeners with `ProxyProtocol.required`.
    public var maxProxyHeaderSize = 4 << 10

    /// How long the handshake of an encrypted connection may take, from its acceptance; above it the connection is closed.
    public var handshakeTimeout: Duration = .seconds(10)

    /// How many handshakes of encrypted connections may be unfinished at once; connections above it are closed. Each costs
    /// some 50 KiB, and a part of a millisecond of a processor.
    public var maxUnfinishedHandshakes = 2048

    /// How long a connection without a request still waits for one when the server shuts down, because it may be on its
    /// way. The connection closes behind its response. With HTTP/2, the client is asked instead (GOAWAY and PING).
    public var drainGracePeriod: Duration = .milliseconds(500)

    /// A whole request head must arrive within this time of the connection, or of its first octet: 408.
    public var headTimeout: Duration = .seconds(10)

    /// The longest wait for the first byte of a request body, and the longest pause between its bytes, while a handler
    /// waits for them: 408.
    public var bodyTimeout: Duration = .seconds(20)

    /// The slowest request body, in bytes per second: 408. It is the average since the first byte, without the time in
    /// which no handler waits, and it counts when `bodyRateGracePeriod` has passed since then. Before the first byte only
    /// `bodyTimeout` counts. 0 is no bound.
    public var minBodyRate = 240

    /// How long after its first byte a body may be slower than `minBodyRate`.
    public var bodyRateGracePeriod: Duration = .seconds(10)

    /// How long a kept-alive connection may wait for its next request (RFC 9112 §9.3). Load balancers that keep
    /// connections for 60 s need a server that keeps them longer.
    public var idleTimeout: Duration = .seconds(75)

    /// How long a write may make no progress before the connection is closed.
    public var writeTimeout: Duration = .seconds(30)

    /// The slowest that a client may take an answer, in octets per second: what waits for it must be taken within the
    /// time that it takes at this rate, and `responseRateGracePeriod`; else the connection is closed. Time in which
    /// nothing waits, since a handler has nothing to send, does not count. 0 is no bound.
    public var minResponseRate = 240

    /// How much longer than at `minResponseRate` a client may take for what waits.
    public var responseRateGracePeriod: Duration = .seconds(5)

    /// After the last response of a connection the server closes its own side, and reads and drops what the client still
    /// sends, so that no reset destroys the response (RFC 9112 §9.6). It stops when nothing has arrived for this long.
    public var lingerTimeout: Duration = .seconds(5)

    /// How long a handler may take for its response once the client has closed its own side of the connection. Such a
    /// client may wait for the response or may be gone (RFC 9112 §9.6). Above it the handler is cancelled and the
    /// connection is closed. The time counts anew for each request.
    public var halfClosedHandlerTimeout: Duration = .seconds(10)

    /// How long a response whose head has been sent may pause once the client has closed its own side of the connection.
    /// Above it the handler is cancelled and the connection is closed. Time in which bytes wait for the client does not
    /// count. Event streams with a heartbeat are not bound by it: a heartbeat finds out whether the client is gone.
    public var halfClosedStreamTimeout: Duration = .milliseconds(3500)

    /// The longest that a connection is kept only to drop what its client still sends. Above it the connection is
    /// closed, and a client that is still sending may not see its response.
    public var maxLingerTime: Duration = .seconds(30)

    /// How long one connection may work at a stretch while the others of its event loop wait. It is looked at between
    /// requests and pieces of content, with a clock that is right to 4 ms; what is left then goes on in a later turn of
    /// the loop, behind what the others have received. It bounds sockets as well. It does not interrupt a handler.
    public var turnBudget: Duration = .milliseconds(8)

    /// Connections open at once; those above it are answered 503 and closed.
    public var maxConnections = 16_000

    /// Connections open at once from one address, sockets among them; those above it are answered 429 and closed. IPv6
    /// addresses count together by their first 64 bits. Not counted are trusted proxies, loopback addresses, behind which
    /// a proxy of this machine may be, and Unix domain sockets. A proxy that is not trusted counts as one client:
    /// `Int.max` is no bound.
    public var maxConnectionsPerAddress = 1024

    /// Requests served by one connection before it is closed (RFC 9112 §9.3); `Int.max` is no bound.
    public var maxRequestsPerConnection = Int.max

    /// How many log lines a second clients may cause by what they do wrong, such as requests that cannot be read; those
    /// above it are counted in one line.
    public var clientErrorLogRate = 10

    /// The default limits.
    public init() {}
}
