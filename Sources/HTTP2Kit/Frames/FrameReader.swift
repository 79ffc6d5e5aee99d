import NIOCore

/// Reads the frames of a client (RFC 9113 §4.1, §6), without I/O. It checks what each frame by itself must be.
struct FrameReader {
    /// The largest payload that this end takes (SETTINGS_MAX_FRAME_SIZE).
    let maxFrameSize: Int

    static let headerSize = 9

    /// What a client sends first (RFC 9113 §3.4).
    static let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    private struct Header {
        let length: Int
        let type: UInt8
        let flags: FrameFlags
        let stream: UInt32
    }

    /// Reads the preface off the beginning of `input`; `nil` if more is needed.
    static func readPreface(_ input: inout ByteBuffer) -> Bool? {
        let wanted = preface.utf8
        let count = min(wanted.count, input.readableBytes)
        guard input.readableBytesView.prefix(count).elementsEqual(wanted.prefix(count)) else { return false }
        guard count == wanted.count else { return nil }
        input.moveReaderIndex(forwardBy: count)
        return true
    }

    /// Whether the next frame, of which a part has arrived, may take its time: only DATA may.
    static func isSlowFrameAllowed(_ input: ByteBuffer) -> Bool {
        input.readableBytes < headerSize
            ? input.readableBytes == 0
            : input.getInteger(at: input.readerIndex + 3, as: UInt8.self) == FrameType.data.rawValue
    }

    /// The next frame; `nil` if more is needed.
    ///
    /// - Throws: `HTTP2Error`, as soon as the header of a frame shows that it is too large.
    func next(_ input: inout ByteBuffer) throws(HTTP2Error) -> Frame? {
        guard let header = readHeader(input) else { return nil }
        guard header.length <= maxFrameSize else {
            throw .size("a frame of \(header.length) bytes is larger than \(maxFrameSize)")
        }
        guard input.readableBytes >= Self.headerSize + header.length else { return nil }
        input.moveReaderIndex(forwardBy: Self.headerSize)
        guard let payload = input.readSlice(length: header.length) else { return nil }
        guard let type = FrameType(rawValue: header.type) else { return .ignored(stream: header.stream) }
        switch type {
        case .data, .headers, .continuation: return try streamFrame(type, header, payload)
        default: return try controlFrame(type, header, payload)
        }
    }

    private func readHeader(_ input: ByteBuffer) -> Header? {
        let start = input.readerIndex
        guard let first = input.getInteger(at: start, as: UInt32.self),
            let flags = input.getInteger(at: start + 4, as: UInt8.self),
            let stream = input.getInteger(at: start + 5, as: UInt32.self)
        else { return nil }
        return Header(
            length: Int(first >> 8), type: UInt8(truncatingIfNeeded: first),
            flags: FrameFlags(rawValue: flags), stream: stream & 0x7FFF_FFFF)
    }

    private func streamFrame(
        _ type: FrameType, _ header: Header, _ payload: ByteBuffer
    ) throws(HTTP2Error) -> Frame {
        guard header.stream != 0 else { throw .malformed("\(type) on stream 0") }
        var content = payload
        switch type {
        case .data:
            try Self.removePadding(header, &content)
            return .data(
                stream: header.stream, content, flowControlled: header.length,
                endsStream: header.flags.contains(.endStream))
        case .headers:
            try Self.removePadding(header, &content)
            if header.flags.contains(.priority), content.readSlice(length: 5) == nil {
                throw .size("HEADERS is too short for its priority")
            }
            return .headers(
                stream: header.stream, content, endsStream: header.flags.contains(.endStream),
                endsHeaders: header.flags.contains(.endHeaders))
        default:
            return .continuation(
                stream: header.stream, content, endsHeaders: header.flags.contains(.endHeaders))
        }
    }

    /// RFC 9113 §6.1.
    private static func removePadding(
        _ header: Header, _ content: inout ByteBuffer
    ) throws(HTTP2Error) {
        guard header.flags.contains(.padded) else { return }
        guard let padding = content.readInteger(as: UInt8.self) else {
            throw .size("a padded frame has no length of its padding")
        }
        guard Int(padding) <= content.readableBytes else {
            throw .malformed("the padding is longer than the frame")
        }
        content.moveWriterIndex(to: content.writerIndex - Int(padding))
    }

    private func controlFrame(
        _ type: FrameType, _ header: Header, _ payload: ByteBuffer
    ) throws(HTTP2Error) -> Frame {
        var payload = payload
        switch type {
        case .priority:
            guard header.stream != 0 else { throw .malformed("PRIORITY on stream 0") }
            guard header.length == 5 else {
                throw .stream(header.stream, .frameSizeError, "PRIORITY has \(header.length) bytes")
            }
            return .ignored(stream: header.stream)
        case .reset:
            guard header.stream != 0 else { throw .malformed("RST_STREAM on stream 0") }
            guard header.length == 4, let code = payload.readInteger(as: UInt32.self) else {
                throw .size("RST_STREAM has \(header.length) bytes")
            }
            return .reset(stream: header.stream, ErrorCode(rawValue: code))
        case .settings: return try settings(header, &payload)
        case .ping:
            guard header.stream == 0 else { throw .malformed("PING on a stream") }
            guard header.length == 8, let data = payload.readInteger(as: UInt64.self) else {
                throw .size("PING has \(header.length) bytes")
            }
            return header.flags.contains(.ack) ? .pingAck(data) : .ping(data)
        case .goAway:
            guard header.stream == 0 else { throw .malformed("GOAWAY on a stream") }
            guard payload.readInteger(as: UInt32.self) != nil, let code = payload.readInteger(as: UInt32.self)
            else { throw .size("GOAWAY has \(header.length) bytes") }
            return .goAway(ErrorCode(rawValue: code))
        case .windowUpdate:
            guard header.length == 4, let increment = payload.readInteger(as: UInt32.self) else {
                throw .size("WINDOW_UPDATE has \(header.length) bytes")
            }
            return .windowUpdate(stream: header.stream, Int(increment & 0x7FFF_FFFF))
        case .pushPromise, .data, .headers, .continuation:
            throw .malformed("a client sends no PUSH_PROMISE")
        }
    }

    /// RFC 9113 §6.5.
    private func settings(
        _ header: Header, _ payload: inout ByteBuffer
    ) throws(HTTP2Error) -> Frame {
        guard header.stream == 0 else { throw .malformed("SETTINGS on a stream") }
        if header.flags.contains(.ack) {
            guard header.length == 0 else { throw .size("the acknowledgement of SETTINGS has content") }
            return .settingsAck
        }
        guard header.length % 6 == 0 else { throw .size("SETTINGS has \(header.length) bytes") }
        var settings: [Frame.Setting] = []
        while let identifier = payload.readInteger(as: UInt16.self),
            let value = payload.readInteger(as: UInt32.self)
        {
            settings.append(Frame.Setting(identifier: identifier, value: value))
        }
        return .settings(settings)
    }
}
