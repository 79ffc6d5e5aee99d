/// What bounds what a client may ask of one HTTP/2 connection, beside `HTTPLimits`.
///
/// The defaults are safe facing the internet.
public struct HTTP2Limits: Sendable, Hashable {
    /// How many requests of one connection are served at once (SETTINGS_MAX_CONCURRENT_STREAMS, RFC 9113 §5.1.2). A
    /// stream above it is refused. Requests that the client has reset count until their handlers have ended.
    public var maxConcurrentStreams = 100

    /// How many bytes of one request's content may wait for its handler (SETTINGS_INITIAL_WINDOW_SIZE, RFC 9113 §6.9.2).
    public var streamWindow = 256 << 10

    /// How many bytes of content a client may send on one connection before it learns that there is room for more
    /// (RFC 9113 §6.9.1).
    public var connectionWindow = 1 << 20

    /// How many bytes of the contents of all requests of one connection may wait for their handlers. Above it the
    /// connection window stays closed.
    public var maxBufferedContent = 4 << 20

    /// How many bytes of one response wait for the client before its writer is suspended.
    public var streamWriteBuffer = 64 << 10

    /// How many streams a client may reset, or have reset by what it does wrong, at a stretch (CVE-2023-44487,
    /// CVE-2025-8671). Above it the connection ends with ENHANCE_YOUR_CALM.
    public var resetBurst = 400

    /// How many resets a second are given back.
    public var resetRate = 40

    /// How many frames a client may send at a stretch that carry no request, no content and no needed room: PING,
    /// SETTINGS, PRIORITY, empty DATA, tiny window updates, and unknown ones. Above it the connection ends with
    /// ENHANCE_YOUR_CALM.
    public var controlFrameBurst = 2000

    /// How many such frames a second are given back.
    public var controlFrameRate = 500

    /// How many frames one field block may have (CVE-2024-27316). Above it the connection ends with ENHANCE_YOUR_CALM.
    public var maxContinuations = 16

    /// The default limits.
    public init() {}
}
