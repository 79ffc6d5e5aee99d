/// What the client has said that it takes (RFC 9113 §6.5.2).
struct PeerSettings: Equatable {
    /// The size of the table that it decompresses with.
    var headerTableSize = 4096
    /// How much it takes on a new stream.
    var initialWindowSize = 65_535
    /// The largest payload of a frame.
    var maxFrameSize = 16_384

    /// The largest window (RFC 9113 §6.9.1).
    static let maxWindow = Int(Int32.max)

    /// Takes a setting over. Those that concern nobody here are ignored.
    mutating func apply(_ setting: Frame.Setting) throws(HTTP2Error) {
        let value = Int(setting.value)
        switch setting.identifier {
        case SettingName.headerTableSize: headerTableSize = value
        case SettingName.enablePush:
            guard value <= 1 else { throw .malformed("SETTINGS_ENABLE_PUSH is \(value)") }
        case SettingName.initialWindowSize:
            guard value <= Self.maxWindow else {
                throw .connection(.flowControlError, "SETTINGS_INITIAL_WINDOW_SIZE is \(value)")
            }
            initialWindowSize = value
        case SettingName.maxFrameSize:
            guard (16_384...16_777_215).contains(value) else {
                throw .malformed("SETTINGS_MAX_FRAME_SIZE is \(value)")
            }
            maxFrameSize = value
        default: break
        }
    }
}

/// The identifiers of settings (RFC 9113 §6.5.2, RFC 8441 §3).
enum SettingName {
    static let headerTableSize: UInt16 = 0x1
    static let enablePush: UInt16 = 0x2
    static let maxConcurrentStreams: UInt16 = 0x3
    static let initialWindowSize: UInt16 = 0x4
    static let maxFrameSize: UInt16 = 0x5
    static let maxHeaderListSize: UInt16 = 0x6
    static let enableConnectProtocol: UInt16 = 0x8
}
