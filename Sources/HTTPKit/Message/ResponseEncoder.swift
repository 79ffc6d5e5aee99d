package import HTTPTypes
package import NIOCore

/// How the content of an answer is delimited (RFC 9112 §6.3 seen from the sender).
package enum ResponseFraming: Equatable, Sendable {
    /// The status allows no content: 1xx, 204, 304 (RFC 9110 §6.4.1).
    case noContent
    /// Content-Length.
    case length(Int)
    /// The chunked transfer coding, for content of unknown length.
    case chunked
    /// The end of the connection, for content of unknown length to an HTTP/1.0 client.
    case untilClose
}

/// The fields of a response as they stand on an HTTP/1.1 connection, made ready before there is a request.
package struct PreparedFields: Sendable {
    package let lines: ByteBuffer

    package init(lines: ByteBuffer) { self.lines = lines }
}

/// Writes status line, fields and chunks (RFC 9112 §4, §5, §7.1) into a buffer, without I/O.
///
/// The fields that frame the message are this type's alone: Content-Length, Transfer-Encoding,
/// Connection and Date of a handler are not copied, so what is sent always says what it is.
package enum ResponseEncoder {
    /// Writes a whole head, and small content behind it.
    ///
    /// - Parameters:
    ///   - preparedFields: the lines of `fields`, where they are there already.
    ///   - declaredLength: for HEAD and 304, where no content is sent: what Content-Length would have been.
    ///   - date: the Date line, ready made (RFC 9110 §6.6.1).
    ///   - content: what is written behind the head, of the length that `framing` says.
    /// - Returns: whether the connection goes on behind this answer: not where `fields` say `Connection: close`.
    @discardableResult
    package static func writeHead(
        status: HTTPResponse.Status, fields: HTTPFields, preparedFields: PreparedFields? = nil,
        framing: ResponseFraming, declaredLength: Int? = nil, minorVersion: Int, keepAlive: Bool,
        date: DateLine, content: String.UTF8View = "".utf8,
        into out: inout ByteBuffer
    ) -> Bool {
        var upgrades = false
        var closes = !keepAlive || framing == .untilClose
        var place = preparedFields == nil ? fields.startIndex : fields.endIndex
        var hasBegun = false
        var isWhole = false
        // One write where the fields are no larger than usual: each checks the buffer anew.
        var room =
            usualFields + maxFrame + content.count + status.reasonPhrase.utf8.count
            + (preparedFields?.lines.readableBytes ?? 0)
        while !isWhole {
            out.writeWithOutputRawSpan(minimumWritableBytes: room) { span in
                if !hasBegun {
                    hasBegun = true
                    appendStart(status, date, to: &span)
                    if let preparedFields { preparedFields.lines.withUnsafeReadableBytes { span.append($0) } }
                }
                while place < fields.endIndex {
                    let field = fields[place]
                    switch FieldRole(field.name) {
                    case .framing: break
                    case .connection:
                        if field.value.lowercased().contains("close") { closes = true }
                    case let role:
                        if case .upgrade = role { upgrades = true }
                        let behind = maxFrame + content.count
                        let missing = append(field, keeping: behind, to: &span)
                        guard missing == 0 else {
                            room = missing + usualFields + behind
                            return
                        }
                    }
                    place += 1
                }
                switch framing {
                case .length(let length): appendLength(length, to: &span)
                case .chunked: span.append("Transfer-Encoding: chunked\r\n")
                case .noContent, .untilClose:
                    if let declaredLength { appendLength(declaredLength, to: &span) }
                }
                span.append(connectionLine(closes: closes, isOld: minorVersion == 0, upgrades: upgrades))
                span.append(content)
                isWhole = true
            }
        }
        return !closes
    }

    /// Room for the fields of most answers, in octets.
    private static let usualFields = 512
    /// The most that is written beside fields and content: status line without its reason (17), Date (37),
    /// Content-Length with 19 digits (37), Connection (37).
    private static let maxFrame = 128

    /// What a field of an answer is to the encoder.
    private enum FieldRole {
        /// One that the encoder writes itself.
        case framing
        /// Connection, which the encoder writes itself, but which may ask for the end of the connection.
        case connection
        case upgrade
        /// One that is written as it is.
        case other

        /// Names of other lengths are told apart without a comparison.
        init(_ name: HTTPField.Name) {
            switch name.canonicalName.utf8.count {
            case 4: self = name == .date ? .framing : .other
            case 7: self = name == .upgrade ? .upgrade : .other
            case 10: self = name == .connection ? .connection : .other
            case 14: self = name == .contentLength ? .framing : .other
            case 17: self = name == .transferEncoding ? .framing : .other
            default: self = .other
            }
        }
    }

    /// Status line and Date.
    private static func appendStart(
        _ status: HTTPResponse.Status, _ date: DateLine, to span: inout OutputRawSpan
    ) {
        if status.code == 200 {
            span.append("HTTP/1.1 200 OK\r\n")
        } else {
            span.append("HTTP/1.1 ")
            span.appendDecimal(status.code)
            span.append(" ")
            span.append(status.reasonPhrase.utf8)
            span.append("\r\n")
        }
        date.octets.span.withUnsafeBytes { span.append($0) }
    }

    /// The Connection field (RFC 9112 §9.3, §9.6) and the end of the head. Who sends Upgrade, as a 426 does, names
    /// it there too (RFC 9110 §7.8).
    private static func connectionLine(closes: Bool, isOld: Bool, upgrades: Bool) -> StaticString {
        switch (closes, isOld, upgrades) {
        case (false, false, false): "\r\n"
        case (true, _, false): "Connection: close\r\n\r\n"
        case (false, true, false): "Connection: keep-alive\r\n\r\n"
        case (true, _, true): "Connection: close, upgrade\r\n\r\n"
        case (false, true, true): "Connection: keep-alive, upgrade\r\n\r\n"
        case (false, false, true): "Connection: upgrade\r\n\r\n"
        }
    }

    /// Writes an interim answer (RFC 9110 §15.2): 100, 101, 103. Here Connection and Upgrade are the caller's.
    package static func writeInterim(
        status: HTTPResponse.Status, fields: HTTPFields, into out: inout ByteBuffer
    ) {
        writeStatusLine(status, into: &out)
        for field in fields { write(field, into: &out) }
        out.writeStaticString("\r\n")
    }

    /// Writes one chunk (RFC 9112 §7.1); an empty one would end the content and is not written.
    package static func writeChunk(_ data: ByteBuffer, into out: inout ByteBuffer) {
        guard data.readableBytes > 0 else { return }
        writeChunkHead(data.readableBytes, into: &out)
        out.writeImmutableBuffer(data)
        out.writeStaticString("\r\n")
    }

    /// Writes the size line of a chunk whose data follow by themselves.
    package static func writeChunkHead(_ size: Int, into out: inout ByteBuffer) {
        writeHexadecimal(size, into: &out)
        out.writeStaticString("\r\n")
    }

    /// Writes the last chunk and the trailer section (RFC 9112 §7.1.2).
    package static func writeLastChunk(trailers: HTTPFields?, into out: inout ByteBuffer) {
        out.writeStaticString("0\r\n")
        if let trailers {
            for field in trailers where !isFramingField(field.name) { write(field, into: &out) }
        }
        out.writeStaticString("\r\n")
    }

    private static func writeStatusLine(_ status: HTTPResponse.Status, into out: inout ByteBuffer) {
        out.writeStaticString("HTTP/1.1 ")
        out.writeString(String(status.code))
        out.writeStaticString(" ")
        out.writeString(status.reasonPhrase)
        out.writeStaticString("\r\n")
    }

    /// Values are free of CR, LF and NUL by construction: `HTTPField` holds no others.
    ///
    /// - Parameter room: what must be left behind the line.
    /// - Returns: 0, or the length of the line where it does not fit.
    private static func append(
        _ field: HTTPField, keeping room: Int, to span: inout OutputRawSpan
    ) -> Int {
        let name = field.name.rawName.utf8
        return field.withUnsafeBytesOfValue { value in
            let length = name.count + value.count + 4
            guard length + room <= span.freeCapacity else { return length }
            span.append(name)
            span.append(": ")
            span.append(UnsafeRawBufferPointer(value))
            span.append("\r\n")
            return 0
        }
    }

    private static func write(_ field: HTTPField, into out: inout ByteBuffer) {
        out.writeString(field.name.rawName)
        out.writeStaticString(": ")
        _ = field.withUnsafeBytesOfValue { out.writeBytes($0) }
        out.writeStaticString("\r\n")
    }

    private static func appendLength(_ length: Int, to span: inout OutputRawSpan) {
        span.append("Content-Length: ")
        span.appendDecimal(length)
        span.append("\r\n")
    }

    private static func isFramingField(_ name: HTTPField.Name) -> Bool {
        let length = name.canonicalName.utf8.count
        guard length == 4 || length == 10 || length == 14 || length == 17 else { return false }
        return name == .date || name == .contentLength || name == .transferEncoding || name == .connection
    }

    private static func writeHexadecimal(_ value: Int, into out: inout ByteBuffer) {
        var shift = max(0, (Int.bitWidth - value.leadingZeroBitCount + 3) / 4 * 4 - 4)
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: (value >> shift) & 15)
            out.writeInteger(digit < 10 ? 0x30 + digit : 0x57 + digit)
            shift -= 4
        }
    }
}
