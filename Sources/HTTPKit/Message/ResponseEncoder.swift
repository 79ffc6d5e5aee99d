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

/// Writes status line, fields and chunks (RFC 9112 §4, §5, §7.1) into a buffer, without I/O.
///
/// The fields that frame the message are this type's alone: Content-Length, Transfer-Encoding,
/// Connection and Date of a handler are not copied, so what is sent always says what it is.
package enum ResponseEncoder {
    /// Writes a whole head.
    ///
    /// - Parameters:
    ///   - preparedFields: the lines of `fields`, where they are there already.
    ///   - declaredLength: for HEAD and 304, where no content is sent: what Content-Length would have been.
    ///   - date: the Date line, ready made (RFC 9110 §6.6.1).
    package static func writeHead(
        status: HTTPResponse.Status, fields: HTTPFields, preparedFields: ByteBuffer? = nil,
        framing: ResponseFraming, declaredLength: Int? = nil, minorVersion: Int, keepAlive: Bool,
        date: Substring.UTF8View,
        into out: inout ByteBuffer
    ) {
        writeStatusLine(status, into: &out)
        out.writeBytes(date)
        var upgrades = false
        if let preparedFields {
            out.writeImmutableBuffer(preparedFields)
        } else {
            for field in fields where !isFramingField(field.name) {
                if field.name.canonicalName.utf8.count == 7, field.name == .upgrade { upgrades = true }
                write(field, into: &out)
            }
        }
        switch framing {
        case .length(let length): writeLength(length, into: &out)
        case .chunked: out.writeStaticString("Transfer-Encoding: chunked\r\n")
        case .noContent, .untilClose:
            if let declaredLength { writeLength(declaredLength, into: &out) }
        }
        writeConnection(
            closes: !keepAlive || framing == .untilClose, isOld: minorVersion == 0, upgrades: upgrades,
            into: &out)
    }

    /// The Connection field (RFC 9112 §9.3, §9.6) and the end of the head. Who sends Upgrade, as a 426 does, names
    /// it there too (RFC 9110 §7.8).
    private static func writeConnection(closes: Bool, isOld: Bool, upgrades: Bool, into out: inout ByteBuffer)
    {
        switch (closes, isOld, upgrades) {
        case (false, false, false): out.writeStaticString("\r\n")
        case (true, _, false): out.writeStaticString("Connection: close\r\n\r\n")
        case (false, true, false): out.writeStaticString("Connection: keep-alive\r\n\r\n")
        case (true, _, true): out.writeStaticString("Connection: close, upgrade\r\n\r\n")
        case (false, true, true): out.writeStaticString("Connection: keep-alive, upgrade\r\n\r\n")
        case (false, false, true): out.writeStaticString("Connection: upgrade\r\n\r\n")
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
        if status.code == 200 {
            out.writeStaticString("HTTP/1.1 200 OK\r\n")
            return
        }
        out.writeStaticString("HTTP/1.1 ")
        writeDecimal(status.code, into: &out)
        out.writeStaticString(" ")
        out.writeString(status.reasonPhrase)
        out.writeStaticString("\r\n")
    }

    /// Values are free of CR, LF and NUL by construction: `HTTPField` holds no others.
    private static func write(_ field: HTTPField, into out: inout ByteBuffer) {
        out.writeString(field.name.rawName)
        out.writeStaticString(": ")
        _ = field.withUnsafeBytesOfValue { out.writeBytes($0) }
        out.writeStaticString("\r\n")
    }

    private static func writeLength(_ length: Int, into out: inout ByteBuffer) {
        out.writeStaticString("Content-Length: ")
        writeDecimal(length, into: &out)
        out.writeStaticString("\r\n")
    }

    private static func isFramingField(_ name: HTTPField.Name) -> Bool {
        let length = name.canonicalName.utf8.count
        guard length == 4 || length == 10 || length == 14 || length == 17 else { return false }
        return name == .date || name == .contentLength || name == .transferEncoding || name == .connection
    }

    private static func writeDecimal(_ value: Int, into out: inout ByteBuffer) {
        var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
        withUnsafeMutableBytes(of: &digits) { bytes in
            // 24 octets hold the 19 digits of the largest `Int`.
            var rest = UInt64(max(0, value))
            var index = bytes.count
            repeat {
                index -= 1
                bytes[index] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
                rest /= 10
            } while rest > 0
            out.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[index...]))
        }
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
