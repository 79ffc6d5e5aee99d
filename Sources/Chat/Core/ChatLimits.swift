/// Every number of the chat, named once. The page learns those it needs from the template and from `welcome`.
struct ChatLimits: Sendable, Equatable {
    /// The longest text of one message, in UTF-8 octets.
    var textOctets = 4096
    /// The longest name of a person, in Unicode scalars (so at most four times as many octets).
    var nameLength = 32
    /// The longest name of a room, in characters (all of them ASCII).
    var roomLength = 32
    /// The longest `ref` a client may give its message, in UTF-8 octets.
    var refOctets = 64
    /// How many messages a newcomer is shown.
    var recentMessages = 100
    /// How many missed messages a returning client is sent; of more than that it gets the newest.
    var missedMessages = 500
    /// How many octets of text these messages may have; of more than that, too, it gets the newest.
    var missedOctets = 512 * 1024
    /// How many octets may wait for a client that reads slowly: a whole welcome fits, so that nobody is
    /// disconnected for being slow while it is still under way.
    var sendBufferOctets = 1024 * 1024
    /// How many people may be in one room.
    var peoplePerRoom = 500
    /// How often one address may ask to join at once before the pace below applies: generous, since all who share an
    /// address come back together when the server is restarted.
    var joinBurst = 60
    /// The shortest average time between two joins of one address once the burst is spent. An IPv6 address counts by
    /// its first 64 bits; a client whose address is not known counts by its connection.
    var joinInterval = Duration.milliseconds(500)
    /// How many addresses are kept in mind for that pace. While there are more that have just joined, the others are
    /// not held to it.
    var pacedAddresses = 10_000
    /// How many messages of one room are kept; the oldest go first.
    var keptMessages = 10_000
    /// How many messages of all rooms together are kept; the oldest go first.
    var keptInAll = 500_000
    /// How long messages are kept.
    var keptTime = Duration.seconds(30 * 24 * 3600)
    /// How many messages one piece of work deletes at most.
    var sweepSize = 100
    /// How often messages that are too old are looked for.
    var sweepInterval = Duration.seconds(600)
    /// How many messages a person may send at once before the pace below applies.
    var sayBurst = 30
    /// The shortest average time between two messages of a person once the burst is spent.
    var sayInterval = Duration.milliseconds(200)
    /// The shortest time between two typing notices of a person; those in between are dropped unanswered.
    var typingInterval = Duration.milliseconds(1500)
    /// The largest WebSocket message that is read at all, in octets. It is far above `textOctets`, so that a
    /// text which is too long is answered with an `error` and only nonsense of this size costs the connection.
    var frameOctets = 256 * 1024

    /// The limits a client is told, so that it can warn before it sends.
    struct Told: Sendable, Equatable, Codable {
        /// See ``ChatLimits/textOctets``.
        var text: Int
        /// See ``ChatLimits/nameLength``.
        var name: Int
        /// See ``ChatLimits/roomLength``.
        var room: Int
    }

    var told: Told { Told(text: textOctets, name: nameLength, room: roomLength) }
}
