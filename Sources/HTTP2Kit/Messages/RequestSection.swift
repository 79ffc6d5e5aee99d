import HTTPKit
import HTTPTypes
import NIOCore

/// The head of a request, and what its fields say about its content.
struct RequestMessage {
    let head: RequestHead
    let contentLength: Int?
    /// The client waits for 100 (Continue) before it sends the content (RFC 9110 §10.1.1).
    let expectsContinue: Bool
}

/// Why a request is not served.
enum RequestFault: Error, Equatable {
    /// It is malformed (RFC 9113 §8.1.1): a stream error.
    case malformed(String)
    /// It gets a response.
    case refused(HTTPError)
}

/// Makes the head of a request of a field section (RFC 9113 §8.2, §8.3), without I/O.
struct RequestSection {
    private var method: FieldSlot?
    private var scheme: FieldSlot?
    private var path: FieldSlot?
    private var authority: FieldSlot?
    private var connectProtocol: FieldSlot?
    private var slots: [FieldSlot] = []
    private var host: FieldSlot?
    private var cookies: [FieldSlot] = []
    private var contentLength: Int?
    private var expectsContinue = false

    /// Reads a section that is within the limits.
    static func read(_ section: consuming FieldSection, limits: HTTPLimits) throws(RequestFault)
        -> RequestMessage
    {
        var reader = RequestSection()
        var buffer = section.buffer
        let slots = section.slots
        reader.slots.reserveCapacity(slots.count)
        try reader.readFields(slots, buffer.readableBytesUInt8Span)
        reader.joinCookies(&buffer)
        return try reader.message(buffer, limits)
    }

    // MARK: Fields

    private mutating func readFields(
        _ fields: [FieldSlot], _ bytes: borrowing Span<UInt8>
    ) throws(RequestFault) {
        var sawRegular = false
        for slot in fields {
            let name = slot.name(from: 0)
            try Self.checkValue(bytes.extracting(slot.value(from: 0)))
            guard let first = name.first else { throw .malformed("a field has no name") }
            if bytes[first] == 0x3A {
                guard !sawRegular else { throw .malformed("a pseudo-header field stands behind a field") }
                try readPseudo(slot, bytes)
            } else {
                sawRegular = true
                try Self.checkName(bytes.extracting(name))
                try readField(slot, bytes)
            }
        }
    }

    /// Pseudo-header fields (RFC 9113 §8.3.1, RFC 8441 §4), each at most once.
    private mutating func readPseudo(
        _ slot: FieldSlot, _ bytes: borrowing Span<UInt8>
    ) throws(RequestFault) {
        let name = slot.name(from: 0)
        func take(_ place: inout FieldSlot?) throws(RequestFault) {
            guard place == nil else { throw .malformed("a pseudo-header field is repeated") }
            place = slot
        }
        if bytes.equals(name, ":method") {
            try take(&method)
        } else if bytes.equals(name, ":scheme") {
            try take(&scheme)
        } else if bytes.equals(name, ":path") {
            try take(&path)
        } else if bytes.equals(name, ":authority") {
            try take(&authority)
        } else if bytes.equals(name, ":protocol") {
            try take(&connectProtocol)
        } else {
            throw .malformed("an unknown pseudo-header field")
        }
    }

    /// RFC 9113 §8.2.1: no upper case, and nothing but the characters of a token.
    static func checkName(_ name: borrowing Span<UInt8>) throws(RequestFault) {
        guard name.endOfToken(from: 0) == name.count else { throw .malformed("a field name is not a token") }
        var index = 0
        while index < name.count {
            if name[index] &- 0x41 < 26 { throw .malformed("a field name has upper case") }
            index &+= 1
        }
    }

    /// RFC 9113 §8.2.1; other control characters are refused as in HTTP/1.1.
    static func checkValue(_ value: borrowing Span<UInt8>) throws(RequestFault) {
        guard value.count > 0 else { return }
        guard value.firstForbiddenControl(from: 0) == value.count else {
            throw .malformed("a field value has a control character")
        }
        guard !value[0].isBlank, !value[value.count - 1].isBlank else {
            throw .malformed("a field value begins or ends with white space")
        }
    }

    private mutating func readField(
        _ slot: FieldSlot, _ bytes: borrowing Span<UInt8>
    ) throws(RequestFault) {
        let name = slot.name(from: 0)
        switch name.count {
        case 2 where bytes.equals(name, "te"):
            guard bytes.equalsIgnoringCase(slot.value(from: 0), "trailers") else {
                throw .malformed("te is not \"trailers\"")
            }
        case 4 where bytes.equals(name, "host"):
            guard host == nil else { throw .refused(.host) }
            host = slot
            return
        case 6 where bytes.equals(name, "cookie"):
            cookies.append(slot)
            if cookies.count > 1 { return }
        case 6 where bytes.equals(name, "expect"):
            guard bytes.equalsIgnoringCase(slot.value(from: 0), "100-continue") else {
                throw .refused(.expectation)
            }
            expectsContinue = true
        case 7 where bytes.equals(name, "upgrade"), 10 where bytes.equals(name, "connection"),
            10 where bytes.equals(name, "keep-alive"), 16 where bytes.equals(name, "proxy-connection"),
            17 where bytes.equals(name, "transfer-encoding"):
            // RFC 9113 §8.2.2.
            throw .malformed("a field belongs to connections of HTTP/1.1")
        case 14 where bytes.equals(name, "content-length"):
            try readLength(bytes, slot.value(from: 0))
        default: break
        }
        slots.append(slot)
    }

    private mutating func readLength(
        _ bytes: borrowing Span<UInt8>, _ range: Range<Int>
    ) throws(RequestFault) {
        guard !range.isEmpty, range.count < 19 else { throw .malformed("content-length is not one number") }
        var length = 0
        for index in range {
            guard bytes[index].isDigit else { throw .malformed("content-length is not one number") }
            length = length * 10 + Int(bytes[index] &- 0x30)
        }
        guard contentLength == nil || contentLength == length else {
            throw .malformed("content-length is given twice")
        }
        contentLength = length
    }

    /// The crumbs of one Cookie field become one again (RFC 9113 §8.2.3).
    private mutating func joinCookies(_ buffer: inout ByteBuffer) {
        guard cookies.count > 1, let first = cookies.first,
            let place = slots.firstIndex(where: { $0.nameStart == first.nameStart })
        else { return }
        let start = buffer.writerIndex
        for (index, cookie) in cookies.enumerated() {
            if index > 0 { buffer.writeStaticString("; ") }
            let range = cookie.value(from: 0)
            if let value = buffer.getSlice(at: range.lowerBound, length: range.count) {
                buffer.writeImmutableBuffer(value)
            }
        }
        slots[place].valueStart = UInt32(truncatingIfNeeded: start)
        slots[place].valueLength = UInt32(truncatingIfNeeded: buffer.writerIndex - start)
    }

    // MARK: The message

    private func message(_ buffer: ByteBuffer, _ limits: HTTPLimits) throws(RequestFault) -> RequestMessage {
        let bytes = buffer.readableBytesUInt8Span
        guard let methodSlot = method else { throw .malformed(":method is missing") }
        let methodRange = methodSlot.value(from: 0)
        guard methodRange.count <= limits.maxMethodLength else { throw .refused(.methodNotImplemented) }
        guard let method = HTTPRequest.Method(bytes, methodRange) else {
            throw .malformed(":method is not a token")
        }
        let isPlainConnect = method == .connect && connectProtocol == nil
        guard connectProtocol == nil || method == .connect else {
            throw .malformed(":protocol is for CONNECT")
        }
        guard (scheme == nil) == isPlainConnect, (path == nil) == isPlainConnect else {
            throw .malformed(
                isPlainConnect ? "CONNECT has :scheme or :path" : ":scheme or :path is missing")
        }
        guard !isPlainConnect || authority != nil else { throw .malformed(":authority is missing") }
        let hostSlot = try self.hostSlot(bytes)
        guard let target = (isPlainConnect ? authority : path)?.value(from: 0), !target.isEmpty else {
            throw .malformed(":path is empty")
        }
        guard target.count <= limits.maxTargetLength else {
            throw .refused(.targetTooLong(limit: limits.maxTargetLength))
        }
        let form = try Self.form(bytes, target, method, isPlainConnect: isPlainConnect)
        var fields = slots
        fields.insert(hostSlot, at: 0)
        let head = RequestHead(
            buffer: buffer, method: method, version: .http2, target: target, form: form, fieldsStart: 0,
            slots: fields, hostSlot: hostSlot, connectProtocolSlot: connectProtocol)
        return RequestMessage(head: head, contentLength: contentLength, expectsContinue: expectsContinue)
    }

    /// `:authority` stands for Host, and must agree with it (RFC 9113 §8.3.1).
    private func hostSlot(_ bytes: borrowing Span<UInt8>) throws(RequestFault) -> FieldSlot {
        guard let authority, authority.valueLength > 0 else {
            guard let host, Authority.isValid(bytes, host.value(from: 0)) else { throw .refused(.host) }
            return host
        }
        let range = authority.value(from: 0)
        guard Authority.isValid(bytes, range) else { throw .refused(.host) }
        if let host {
            let other = host.value(from: 0)
            guard other.count == range.count else { throw .refused(.host) }
            for offset in 0..<range.count
            where bytes[range.lowerBound + offset].asciiLowercased
                != bytes[other.lowerBound + offset].asciiLowercased
            {
                throw .refused(.host)
            }
        }
        return FieldSlot(
            nameStart: 0, nameLength: UInt32(FieldSection.prefix), valueStart: authority.valueStart,
            valueLength: authority.valueLength)
    }

    private static func form(
        _ bytes: borrowing Span<UInt8>, _ target: Range<Int>, _ method: HTTPRequest.Method,
        isPlainConnect: Bool
    ) throws(RequestFault) -> RequestTarget {
        guard bytes.extracting(target).endOfTarget(from: 0) == target.count else {
            throw .refused(.requestTarget)
        }
        // An absolute target is no path.
        let isPath = isPlainConnect || bytes[target.lowerBound] == 0x2F || bytes[target.lowerBound] == 0x2A
        guard isPath else { throw .malformed(":path does not begin with \"/\"") }
        do {
            return try RequestTarget(
                bytes, target, isConnect: isPlainConnect, isOptions: method == .options)
        } catch {
            throw .refused(error)
        }
    }
}

/// A trailer section of a request (RFC 9113 §8.1).
enum TrailerSection {
    /// The fields that may be delivered; `nil` if there are none.
    static func read(_ section: FieldSection) throws(RequestFault) -> HTTPFields? {
        guard section.overflow == nil else { throw .malformed("the trailer section is too large") }
        let bytes = section.buffer.readableBytesUInt8Span
        for slot in section.slots {
            let name = slot.name(from: 0)
            guard let first = name.first, bytes[first] != 0x3A else {
                throw .malformed("a pseudo-header field in the trailer section")
            }
            try RequestSection.checkName(bytes.extracting(name))
            try RequestSection.checkValue(bytes.extracting(slot.value(from: 0)))
        }
        return FieldLines.trailerFields(section.slots, in: section.buffer)
    }
}

extension Span where Element == UInt8 {
    /// Whether `text` stands in `range`, with regard to case.
    @inline(__always)
    fileprivate func equals(_ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        var index = 0
        while index < range.count {
            if self[range.lowerBound &+ index] != text.utf8Start[index] { return false }
            index &+= 1
        }
        return true
    }
}
