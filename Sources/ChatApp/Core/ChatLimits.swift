/// The limits of the chat. The page gets the ones it needs from the template and from `welcome`.
struct ChatLimits: Sendable, Equatable {
    /// The longest text of one message, in UTF-8 bytes.
    var textBytes = 4096
    /// The longest name of a person, in Unicode scalars (at most four bytes each).
    var nameLength = 32
    /// The longest name of a room, in ASCII characters.
    var roomLength = 32
    /// The longest `ref` of a message, in UTF-8 bytes.
    var refBytes = 64
    /// How many messages a new client is sent.
    var recentMessages = 100
    /// How many missed messages a returning client is sent. If it missed more, it gets the newest.
    var missedMessages = 500
    /// How many bytes of text these messages may have in total. If they have more, the client gets the newest.
    var missedBytes = 512 * 1024
    /// How many bytes may be buffered for a slow client. A whole welcome fits, so that no client is
    /// disconnected as slow while it is still receiving it.
    var sendBufferBytes = 1024 * 1024
    /// How many people may be in one room.
    var peoplePerRoom = 500
    /// How many attempts to join one address may make in a burst. The burst is generous because all clients behind
    /// one address reconnect together when the server restarts.
    var joinBurst = 60
    /// The shortest average time between two attempts to join from one address after a burst. IPv6 addresses are
    /// counted by their first 64 bits, and clients with an unknown address by their connection.
    var joinInterval = Duration.milliseconds(500)
    /// How many addresses are tracked for that rate limit. If more addresses are active at once, the remaining ones
    /// are not limited.
    var trackedAddresses = 10_000
    /// How many messages are kept in one room. The oldest are deleted first.
    var retainedMessagesPerRoom = 10_000
    /// How many messages are kept in all rooms together. The oldest are deleted first.
    var retainedMessages = 500_000
    /// How long messages are kept.
    var retentionPeriod = Duration.seconds(30 * 24 * 3600)
    /// How many expired messages of each kind (too many in a room, too old, too many in all) one sweep deletes at most.
    var sweepSize = 100
    /// How often expired messages are looked for.
    var sweepInterval = Duration.seconds(600)
    /// How many messages a person may send in a burst.
    var sayBurst = 30
    /// The shortest average time between two messages of a person after a burst.
    var sayInterval = Duration.milliseconds(200)
    /// The shortest time between two typing notices of a person. Notices in between are dropped without an error.
    var typingInterval = Duration.milliseconds(1500)
    /// The largest WebSocket message that is accepted, in bytes. It is far above `textBytes`: a text that is too
    /// long gets an `error`, and only a message above this limit closes the connection.
    var frameBytes = 256 * 1024

    /// The limits that a client is sent, so that it can warn before it sends.
    struct Advertised: Sendable, Equatable, Codable {
        /// See ``ChatLimits/textBytes``.
        var text: Int
        /// See ``ChatLimits/nameLength``.
        var name: Int
        /// See ``ChatLimits/roomLength``.
        var room: Int
    }

    var advertised: Advertised { Advertised(text: textBytes, name: nameLength, room: roomLength) }
}
