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

    /// A whole request head must arrive within this time of the connection, or of its first octet: 408.
    public var headTimeout: Duration = .seconds(10)

    /// The longest pause between octets of content that a handler waits for: 408.
    public var bodyTimeout: Duration = .seconds(20)

    /// The slowest content, in octets per second, measured after `bodyRateGracePeriod`: 408. 0 is no bound.
    public var minBodyRate = 240

    /// How long content may be slower than `minBodyRate` before it counts.
    public var bodyRateGracePeriod: Duration = .seconds(10)

    /// How long a kept-alive connection may wait for its next request (RFC 9112 §9.3).
    public var idleTimeout: Duration = .seconds(60)

    /// How long a write may make no progress before the connection is closed.
    public var writeTimeout: Duration = .seconds(30)

    /// The slowest that a client may take an answer, in octets per second: what waits for it must be taken within the
    /// time that it takes at this rate, and `responseRateGracePeriod`; else the connection is closed. Time in which
    /// nothing waits, since a handler has nothing to send, does not count. 0 is no bound.
    public var minResponseRate = 240

    /// How much longer than at `minResponseRate` a client may take for what waits.
    public var responseRateGracePeriod: Duration = .seconds(5)

    /// How long the server goes on reading, and dropping, after it has closed its own side (RFC 9112 §9.6).
    public var lingerTimeout: Duration = .seconds(2)

    /// How many octets are dropped while lingering.
    public var maxLingerBytes = 1 << 20

    /// How long one connection may work at a stretch while the others of its event loop wait. It is looked at between
    /// requests and pieces of content, with a clock that is right to 4 ms; what is left then goes on in a later turn of
    /// the loop, behind what the others have received. It bounds sockets as well. It does not interrupt a handler.
    public var turnBudget: Duration = .milliseconds(8)

    /// Connections open at once; those above it are answered 503 and closed.
    public var maxConnections = 16_000

    /// Requests served by one connection before it is closed (RFC 9112 §9.3); `Int.max` is no bound.
    public var maxRequestsPerConnection = Int.max

    /// How many log lines a second clients may cause by what they do wrong, such as requests that cannot be read; those
    /// above it are counted in one line.
    public var clientErrorLogRate = 10

    /// The default limits.
    public init() {}
}
