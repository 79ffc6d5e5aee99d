/// Every number that bounds what a peer may ask of a WebSocket connection, in one place.
///
/// The defaults are safe facing the internet. Sizes are in octets.
public struct WSLimits: Sendable, Hashable {
    /// The largest message received, counted after decompression; over it the connection closes with 1009, as
    /// soon as a frame's header announces it. Messages received in parts have no such bound.
    public var maxMessageSize = 1 << 20

    /// The largest payload of a single frame received, as on the wire: 1009.
    public var maxFrameSize = Int.max

    /// How many tiny fragments a message may have: those under ``tinyFragmentSize``, but for the last: 1008.
    /// Together with the message size this bounds how many frames a message takes.
    public var maxTinyFragments = 16_384

    /// Fragments with fewer octets than this are tiny.
    public var tinyFragmentSize = 16

    /// How many pings, pongs and closes may arrive within a second: 1008.
    public var maxControlFramesPerSecond = 1_000

    /// How many messages may arrive within a second: 1008. `nil` is no bound.
    public var maxMessagesPerSecond: Int?

    /// The slowest that a message may arrive once it has begun, in bytes per second as on the wire: 1008. It is measured
    /// from its first bytes on, after ``messageRateGracePeriod``; time in which this end does not read does not count.
    /// Endpoints whose clients send a message piece by piece as it comes into being set 0, which is no bound.
    public var minMessageRate = 240

    /// How long a message may arrive more slowly than ``minMessageRate`` before that counts.
    public var messageRateGracePeriod: Duration = .seconds(20)

    /// How long a message may take to arrive: 1008. Time in which this end does not read does not count, nor does the
    /// bound hold for messages received in parts. `nil` is no bound.
    public var messageTimeout: Duration? = .seconds(300)

    /// How much memory the messages under way on one event loop may hold together, in bytes. Above it the oldest of them
    /// is closed with 1013, until the others fit.
    public var maxUnfinishedBytesPerLoop = 128 << 20

    /// How many bytes the sockets of one event loop compress and decompress in one turn, counted uncompressed. Above it
    /// the other connections of the loop have their turn, and the sockets go on one after the other. A single message is
    /// compressed as a whole, and each socket may always decompress 16 KiB, so that small messages do not wait.
    public var codecBytesPerTurn = 1 << 20

    /// How many bytes a socket may have decompressed within a second. Above it the socket is not read until that is made
    /// up for; it stays open. `nil` is no bound.
    public var maxInflatedBytesPerSecond: Int? = 64 << 20

    /// How many bytes wait unsent for a subscriber with ``SlowClientPolicy/latestOnly``, in the kernel (Linux, TCP) and again
    /// in this process, before a newer message takes the place of the one that it missed.
    public var latestOnlyUnsentSize = 64 << 10

    /// Messages sent are split into frames of at most this much payload, as on the wire.
    public var sentFrameSize = 1 << 20

    /// How much of a message that is received in parts one part holds at most after decompression.
    public var partSize = 64 << 10

    /// After this long without an octet from the peer it is asked for a pong. `nil` never asks.
    public var pingInterval: Duration? = .seconds(30)

    /// Without an octet for this long after a ping the peer is taken for dead.
    public var pongTimeout: Duration = .seconds(20)

    /// How long the peer may take to answer a close frame (RFC 6455 §7.1.1).
    public var closeTimeout: Duration = .seconds(5)

    /// How many octets may wait for a peer that reads slowly before senders are suspended.
    public var sendBufferSize = 256 << 10

    /// How long the send buffer may stay full without progress before the connection is closed.
    public var sendTimeout: Duration = .seconds(30)

    /// The slowest that a peer may take what is sent to it, in octets per second: what waits for it must be taken within
    /// the time that it takes at this rate, and ``sendRateGracePeriod``; else the connection is closed. Time in which
    /// nothing waits does not count. 0 is no bound.
    public var minSendRate = 240

    /// How much longer than at ``minSendRate`` a peer may take for what waits: it may rest as long as with a full send
    /// buffer, however little waits.
    public var sendRateGracePeriod: Duration = .seconds(30)

    /// How many received messages wait for the application before the connection stops reading.
    public var maxQueuedMessages = 16

    /// How many octets of received messages wait for the application before the connection stops reading; one
    /// message may be larger than that.
    public var maxQueuedOctets = 256 << 10

    /// After this long without a message, compression with context takeover gives back its working memory.
    public var deflateIdleTimeout: Duration = .seconds(5)

    /// The default limits.
    public init() {}

    /// The default limits, changed by `configure`.
    public init(_ configure: (inout WSLimits) -> Void) {
        self.init()
        configure(&self)
    }
}
