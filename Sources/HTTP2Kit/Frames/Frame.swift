import NIOCore

/// A frame of a client (RFC 9113 §6), without its padding.
enum Frame {
    /// `flowControlled` counts the padding too (§6.1).
    case data(stream: UInt32, ByteBuffer, flowControlled: Int, endsStream: Bool)
    /// The beginning of a field block, or the whole of it.
    case headers(stream: UInt32, ByteBuffer, endsStream: Bool, endsHeaders: Bool)
    case continuation(stream: UInt32, ByteBuffer, endsHeaders: Bool)
    case reset(stream: UInt32, ErrorCode)
    /// The settings, in the order in which they were sent.
    case settings([Setting])
    case settingsAck
    case ping(UInt64)
    case pingAck(UInt64)
    case goAway(ErrorCode)
    /// `stream` is 0 for the connection.
    case windowUpdate(stream: UInt32, Int)
    /// PRIORITY, which says nothing any more (§5.3.2), or a type that nobody here knows (§4.1).
    case ignored(stream: UInt32)

    /// A setting (§6.5.1).
    struct Setting: Equatable {
        let identifier: UInt16
        let value: UInt32
    }
}

/// The types of frames (RFC 9113 §6).
enum FrameType: UInt8 {
    case data = 0x0
    case headers = 0x1
    case priority = 0x2
    case reset = 0x3
    case settings = 0x4
    case pushPromise = 0x5
    case ping = 0x6
    case goAway = 0x7
    case windowUpdate = 0x8
    case continuation = 0x9
}

/// The flags of frames (RFC 9113 §6).
struct FrameFlags: OptionSet, Sendable {
    let rawValue: UInt8

    static let endStream = FrameFlags(rawValue: 0x1)
    static let ack = FrameFlags(rawValue: 0x1)
    static let endHeaders = FrameFlags(rawValue: 0x4)
    static let padded = FrameFlags(rawValue: 0x8)
    static let priority = FrameFlags(rawValue: 0x20)
}
