package import HTTPTypes
package import NIOCore

/// Where a field stands: offsets from the start of its section, no copies.
package struct FieldSlot: Sendable {
    package var nameStart: UInt32
    package var nameLength: UInt32
    package var valueStart: UInt32
    package var valueLength: UInt32

    @inline(__always)
    package init(nameStart: UInt32, nameLength: UInt32, valueStart: UInt32, valueLength: UInt32) {
        self.nameStart = nameStart
        self.nameLength = nameLength
        self.valueStart = valueStart
        self.valueLength = valueLength
    }

    /// Where the name stands among octets in which the section begins at `start`.
    @inline(__always)
    package func name(from start: Int) -> Range<Int> {
        let first = start &+ Int(nameStart)
        return first..<first &+ Int(nameLength)
    }

    /// Where the value stands among octets in which the section begins at `start`.
    @inline(__always)
    package func value(from start: Int) -> Range<Int> {
        let first = start &+ Int(valueStart)
        return first..<first &+ Int(valueLength)
    }
}

/// Field lines (RFC 9112 §5) of a head or of a trailer section, read into a table of offsets.
///
/// `field-line = field-name ":" OWS field-value OWS`, ended by CRLF, the section by an empty line.
package struct FieldLines: Sendable {
    /// The fields found so far, in order.
    package private(set) var slots: [FieldSlot] = []
    private let maxSize: Int
    private let maxCount: Int

    init(limits: HTTPLimits) {
        maxSize = max(0, limits.maxFieldSectionSize)
        maxCount = limits.maxFieldCount
    }

    /// Forgets the fields; the table's memory is kept where nobody else holds it.
    mutating func removeAll() {
        slots.removeAll(keepingCapacity: true)
    }

    /// Reads lines from `position` on, which moves behind each whole line.
    ///
    /// Nothing behind the limit is looked at, so that what is wrong with a section does not depend on how it was cut
    /// on its way.
    ///
    /// - Returns: whether the empty line that ends the section has been read; if not, more octets are needed.
    mutating func parse(
        _ span: borrowing Span<UInt8>, from position: inout Int, sectionStart: Int
    ) throws(HTTPError) -> Bool {
        let (sum, overflow) = sectionStart.addingReportingOverflow(maxSize)
        let bound = overflow ? span.count : min(span.count, sum)
        let bounded = span.extracting(0..<bound)
        while position < span.count {
            let start = position
            if span[start] == 0x0D {
                guard start + 1 < span.count else { return false }
                guard span[start + 1] == 0x0A else { throw .lineEnd }
                position = start + 2
                return true
            }
            guard let end = try parseLine(bounded, from: start, sectionStart: sectionStart) else {
                if span.count > bound { throw .fieldSectionTooLarge(limit: maxSize) }
                return false
            }
            position = end
        }
        return false
    }

    /// One line from `start`; its end, or `nil` when it is not whole.
    private mutating func parseLine(
        _ span: borrowing Span<UInt8>, from start: Int, sectionStart: Int
    ) throws(HTTPError) -> Int? {
        let colon = span.endOfToken(from: start)
        guard colon < span.count else { return nil }
        guard span[colon] == 0x3A, colon > start else {
            throw Self.nameError(span[colon], isFirst: colon == start)
        }
        var valueStart = colon &+ 1
        while valueStart < span.count, span[valueStart].isBlank { valueStart &+= 1 }
        let end = span.firstForbiddenControl(from: valueStart)
        guard end < span.count else { return nil }
        guard span[end] == 0x0D else { throw span[end] == 0x0A ? .lineEnd : .fieldLine }
        guard end &+ 1 < span.count else { return nil }
        guard span[end &+ 1] == 0x0A else { throw .lineEnd }
        var valueEnd = end
        while valueEnd > valueStart, span[valueEnd &- 1].isBlank { valueEnd &-= 1 }
        guard slots.count < maxCount else { throw .tooManyFields(limit: maxCount) }
        slots.append(
            FieldSlot(
                nameStart: UInt32(truncatingIfNeeded: start &- sectionStart),
                nameLength: UInt32(truncatingIfNeeded: colon &- start),
                valueStart: UInt32(truncatingIfNeeded: valueStart &- sectionStart),
                valueLength: UInt32(truncatingIfNeeded: valueEnd &- valueStart)))
        return end &+ 2
    }

    private static func nameError(_ byte: UInt8, isFirst: Bool) -> HTTPError {
        if byte == 0x0A { return .lineEnd }
        return isFirst && byte.isBlank ? .foldedLine : .fieldLine
    }

    /// The trailer fields that a recipient may merge or deliver (RFC 9110 §6.5.1): those that frame, route,
    /// authenticate or describe the content are dropped, as §6.5.1 demands.
    package static func trailerFields(_ slots: [FieldSlot], in section: ByteBuffer) -> HTTPFields? {
        var fields = HTTPFields()
        for slot in slots {
            let text = section.string(slot.name(from: 0))
            guard let name = HTTPField.Name(text), name.canonicalName != "host",
                !forbiddenTrailers.contains(name)
            else {
                continue
            }
            fields.append(HTTPField(name: name, value: section.string(slot.value(from: 0))))
        }
        return fields.isEmpty ? nil : fields
    }

    /// All the fields, as text, of a section that begins at `start` of `head`.
    func fields(in head: ByteBuffer, from start: Int) -> HTTPFields {
        var fields = HTTPFields()
        for slot in slots {
            guard let name = HTTPField.Name(head.string(slot.name(from: start))) else { continue }
            fields.append(HTTPField(name: name, value: head.string(slot.value(from: start))))
        }
        return fields
    }

    private static let forbiddenTrailers: Set<HTTPField.Name> = [
        .transferEncoding, .contentLength, .cacheControl, .expect, .maxForwards, .te, .trailer, .connection,
        .authorization, .proxyAuthenticate, .proxyAuthorization, .wwwAuthenticate, .contentEncoding,
        .contentType,
        .contentRange, .range, .ifMatch, .ifNoneMatch, .ifModifiedSince, .ifUnmodifiedSince, .ifRange,
        .cookie,
        .setCookie, .age, .expires, .date, .location, .retryAfter, .vary, .upgrade,
    ]
}

extension ByteBuffer {
    /// The octets of `range`, counted from the reader index, as text: UTF-8 where they are, otherwise ISO 8859-1,
    /// as field values once were (RFC 9110 §5.5); nothing is lost either way.
    package func string(_ range: Range<Int>) -> String {
        guard let text = try? getUTF8ValidatedString(at: readerIndex + range.lowerBound, length: range.count)
        else {
            let bytes = getBytes(at: readerIndex + range.lowerBound, length: range.count) ?? []
            return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        }
        return text
    }
}
