import NIOCore

/// Writes frames (RFC 9113 §6) into a buffer, without I/O.
enum FrameWriter {
    /// The header of a frame (RFC 9113 §4.1).
    @inline(__always)
    static func writeHeader(
        _ type: FrameType, _ flags: FrameFlags = [], stream: UInt32, length: Int,
        into out: inout ByteBuffer
    ) {
        out.writeMultipleIntegers(
            UInt32(truncatingIfNeeded: length) << 8 | UInt32(type.rawValue), flags.rawValue, stream)
    }

    static func writeSettings(_ settings: [Frame.Setting], into out: inout ByteBuffer) {
        writeHeader(.settings, stream: 0, length: settings.count * 6, into: &out)
        for setting in settings { out.writeMultipleIntegers(setting.identifier, setting.value) }
    }

    static func writeSettingsAck(into out: inout ByteBuffer) {
        writeHeader(.settings, .ack, stream: 0, length: 0, into: &out)
    }

    static func writePing(_ data: UInt64, isAck: Bool, into out: inout ByteBuffer) {
        writeHeader(.ping, isAck ? .ack : [], stream: 0, length: 8, into: &out)
        out.writeInteger(data)
    }

    static func writeReset(stream: UInt32, _ code: ErrorCode, into out: inout ByteBuffer) {
        writeHeader(.reset, stream: stream, length: 4, into: &out)
        out.writeInteger(code.rawValue)
    }

    static func writeWindowUpdate(stream: UInt32, _ increment: Int, into out: inout ByteBuffer) {
        writeHeader(.windowUpdate, stream: stream, length: 4, into: &out)
        out.writeInteger(UInt32(clamping: increment))
    }

    /// - Parameter reason: for people who look at the connection; sent as debug data.
    static func writeGoAway(
        lastStream: UInt32, _ code: ErrorCode, _ reason: String, into out: inout ByteBuffer
    ) {
        writeHeader(.goAway, stream: 0, length: 8 + reason.utf8.count, into: &out)
        out.writeMultipleIntegers(lastStream, code.rawValue)
        out.writeString(reason)
    }
}
