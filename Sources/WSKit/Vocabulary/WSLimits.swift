/// The limits that bound what a peer may demand of a WebSocket connection.
///
/// The defaults are safe for servers on the internet. Sizes are in bytes. When a peer exceeds a limit with a close code,
/// the connection is closed with that code.
public struct WSLimits: Sendable, Hashable {
    /// The maximum size of a received message, counted after decompression. A larger one closes the connection with
    /// 1009, as soon as a frame's header announces it. The limit does not apply to messages that are received in parts.
    public var maxMessageSize = 1 << 20

    /// The maximum payload size of a received frame, counted as sent on the wire. Close code 1009.
    public var maxFrameSize = Int.max

    /// The maximum number of tiny fragments in a received message: those with fewer than ``tinyFragmentSize`` bytes,
    /// except for the last fragment. Close code 1008. Together with the message size this bounds the number of frames of
    /// a message.
    public var maxTinyFragments = 16_384

    /// Fragments with fewer bytes than this are tiny.
    public var tinyFragmentSize = 16

    /// The maximum number of pings, pongs and close frames that may arrive within a second. Close code 1008.
    public var maxControlFramesPerSecond = 1_000

    /// The maximum number of messages that may arrive within a second. Close code 1008. `nil` disables the limit.
    public var maxMessagesPerSecond: Int?

    /// The minimum rate at which a message must arrive once it has begun, in bytes per second, counted as sent on the
    /// wire. Close code 1008.
    ///
    /// A message that has been arriving for longer than ``messageRateGracePeriod`` must have this many bytes for each
    /// second beyond that period. Time in which this end does not read is not counted. 0 disables the limit: set it for
    /// clients that send a message piece by piece as they produce it.
    public var minMessageRate = 240

    /// How long a message may take before ``minMessageRate`` applies. This time is not part of the calculation, so a
    /// message may always stop for this long.
    public var messageRateGracePeriod: Duration = .seconds(20)

    /// How long a message may take to arrive. Close code 1008. Time in which this end does not read is not counted, and
    /// the limit does not apply to messages that are received in parts. `nil` disables the limit.
    public var messageTimeout: Duration? = .seconds(300)

    /// How much memory all unfinished received messages of one event loop may hold together, in bytes. Above that, the
    /// connections with the oldest unfinished messages are closed with 1013 until the others fit.
    public var maxUnfinishedBytesPerLoop = 128 << 20

    /// How many bytes the sockets of one event loop compress and decompress in one turn, counted uncompressed. After
    /// that the loop serves its other connections, and the sockets continue one after the other.
    ///
    /// A single message is always compressed as a whole. Each socket may always decompress 16 KiB in a turn, so that
    /// small messages do not wait.
    public var codecBytesPerTurn = 1 << 20

    /// How many bytes a socket may decompress within a second. A socket that exceeds the rate stays open, but is not
    /// read until its average is back within the limit. `nil` disables the limit.
    public var maxInflatedBytesPerSecond: Int? = 64 << 20

    /// How many unsent bytes a subscriber with ``SlowClientPolicy/latestOnly`` may have before newer messages replace
    /// each other. The limit applies once to the bytes in the kernel (Linux, TCP) and once to those in this process.
    public var latestOnlyUnsentSize = 64 << 10

    /// The maximum payload size of a sent frame, counted as sent on the wire. Larger messages are split into several
    /// frames.
    public var sentFrameSize = 1 << 20

    /// The maximum size of a part of a message that is received in parts, counted after decompression.
    public var partSize = 64 << 10

    /// The peer is sent a ping when nothing has been received from it for this long. `nil` disables pings.
    public var pingInterval: Duration? = .seconds(30)

    /// The connection is closed when nothing has been received for this long after a ping.
    public var pongTimeout: Duration = .seconds(20)

    /// How long the peer may take to reply to a close frame (RFC 6455 §7.1.1).
    public var closeTimeout: Duration = .seconds(5)

    /// How many unsent bytes are buffered for a slow peer before senders are suspended.
    public var sendBufferSize = 256 << 10

    /// How long the send buffer may stay full without progress before the connection is closed.
    public var sendTimeout: Duration = .seconds(30)

    /// The minimum rate at which a peer must read what is sent to it, in bytes per second.
    ///
    /// The connection is closed when the peer has not read its unsent bytes within the time that they take at this rate
    /// plus ``sendRateGracePeriod``. Time without unsent bytes is not counted. 0 disables the limit.
    public var minSendRate = 240

    /// How much longer than at ``minSendRate`` a peer may take to read its unsent bytes. By default it may pause as long
    /// as with a full send buffer, however few bytes there are.
    public var sendRateGracePeriod: Duration = .seconds(30)

    /// How many received messages are queued for the application before the connection stops reading.
    public var maxQueuedMessages = 16

    /// How many bytes of received messages are queued for the application before the connection stops reading. A single
    /// message may be larger.
    public var maxQueuedBytes = 256 << 10

    /// How long a socket without messages keeps the working memory of compression with context takeover.
    public var deflateIdleTimeout: Duration = .seconds(5)

    /// The default limits.
    public init() {}

    /// The default limits, modified by `configure`.
    public init(_ configure: (inout WSLimits) -> Void) {
        self.init()
        configure(&self)
    }
}
