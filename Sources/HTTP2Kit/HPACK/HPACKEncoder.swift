import DequeModule
import HTTPKit
import HTTPTypes
import NIOCore

/// Compresses the heads of the responses of one connection (RFC 7541 §3.1), without I/O.
///
/// Fields that come again and again go into the client's table. Values that are different each time, and cookies, do
/// not (RFC 7541 §7.1). Strings are sent as they are: the Huffman code saves few bytes and costs time.
struct HPACKEncoder {
    /// A field that the client's table has, or had.
    private struct Known {
        let name: String
        let value: String
        /// Which insertion it was.
        let number: Int
    }

    /// What is known of the fields of earlier responses, at most one value for each name.
    private var known: [Known] = []
    /// The sizes of the entries in the client's table, the oldest first.
    private var sizes = Deque<Int>()
    private var size = 0
    private var inserted = 0
    private var date: (line: DateLine, number: Int)?
    private var maxSize = Self.largestTable
    /// The size to be announced at the start of the next block, and the smallest one since the last block
    /// (RFC 7541 §4.2).
    private var announced: (smallest: Int, last: Int)?

    /// What this end makes use of at most.
    private static let largestTable = 4096
    private static let maxKnown = 24
    /// Longer values are not put into the table.
    private static let maxIndexedValue = 256

    /// The client has said how large its table may be (SETTINGS_HEADER_TABLE_SIZE).
    mutating func setTableSize(_ peerSize: Int) {
        let size = min(peerSize, Self.largestTable)
        guard size != maxSize || announced != nil else { return }
        announced = (min(size, announced?.smallest ?? size), size)
        maxSize = size
        evict(to: min(size, announced?.smallest ?? size))
    }

    /// Writes the block of a response's head.
    ///
    /// - Parameters:
    ///   - contentLength: the value of Content-Length, if it is sent.
    ///   - date: `nil` for an interim response.
    mutating func encode(
        status: Int, fields: HTTPFields, contentLength: Int?, date: DateLine?, into out: inout ByteBuffer
    ) {
        var room = 96
        for field in fields { room += Self.room(for: field) }
        out.writeWithOutputRawSpan(minimumWritableBytes: room) { span in
            announceTableSize(to: &span)
            appendStatus(status, to: &span)
            if let date { append(date, to: &span) }
            if let contentLength {
                // Literal without indexing, by the name's index 28.
                span.append(0x0F)
                span.append(28 - 15)
                let digits = String(contentLength)
                span.append(UInt8(truncatingIfNeeded: digits.utf8.count))
                span.append(digits.utf8)
            }
            append(fields, to: &span)
        }
    }

    /// Writes the block of a trailer section.
    mutating func encode(trailers: HTTPFields, into out: inout ByteBuffer) {
        var room = 16
        for field in trailers { room += Self.room(for: field) }
        out.writeWithOutputRawSpan(minimumWritableBytes: room) { span in
            announceTableSize(to: &span)
            append(trailers, to: &span)
        }
    }

    private static func room(for field: HTTPField) -> Int {
        field.name.canonicalName.utf8.count + field.value.utf8.count + 16
    }

    private mutating func append(_ fields: HTTPFields, to span: inout OutputRawSpan) {
        for field in fields {
            let name = field.name.canonicalName
            switch FieldKind(name) {
            case .framing: break
            case .literal(let index): Self.appendLiteral(0x00, prefix: 4, index, name, field, to: &span)
            case .secret(let index): Self.appendLiteral(0x10, prefix: 4, index, name, field, to: &span)
            case .repeated(let index): appendRepeated(index, name, field, to: &span)
            }
        }
    }

    private mutating func appendRepeated(
        _ index: Int, _ name: String, _ field: HTTPField, to span: inout OutputRawSpan
    ) {
        let value = field.value
        let place = known.firstIndex { $0.name == name }
        if let place, known[place].value == value, let index = tableIndex(of: known[place].number) {
            return Self.append(0x80, prefix: 7, index, to: &span)
        }
        let size = name.utf8.count + value.utf8.count + DynamicTable.overhead
        guard value.utf8.count <= Self.maxIndexedValue, size <= maxSize / 2 else {
            return Self.appendLiteral(0x00, prefix: 4, index, name, field, to: &span)
        }
        Self.appendLiteral(0x40, prefix: 6, index, name, field, to: &span)
        let entry = Known(name: name, value: value, number: insert(size))
        if let place {
            known[place] = entry
        } else {
            if known.count >= Self.maxKnown { known.removeFirst() }
            known.append(entry)
        }
    }

    private mutating func append(_ line: DateLine, to span: inout OutputRawSpan) {
        if let date, date.line == line, let index = tableIndex(of: date.number) {
            return Self.append(0x80, prefix: 7, index, to: &span)
        }
        let size = 4 + DateLine.valueLength + DynamicTable.overhead
        let isIndexed = size <= maxSize / 2
        Self.append(isIndexed ? 0x40 : 0x00, prefix: isIndexed ? 6 : 4, 33, to: &span)
        span.append(UInt8(DateLine.valueLength))
        line.withValue { span.append($0) }
        if isIndexed { date = (line, insert(size)) }
    }

    // MARK: The client's table

    private mutating func insert(_ entrySize: Int) -> Int {
        evict(to: maxSize - entrySize)
        sizes.append(entrySize)
        size += entrySize
        inserted += 1
        return inserted - 1
    }

    private mutating func evict(to limit: Int) {
        while size > limit, let oldest = sizes.popFirst() { size -= oldest }
    }

    /// The index of what was inserted as `number`; `nil` when it has been evicted.
    private func tableIndex(of number: Int) -> Int? {
        let age = inserted - 1 - number
        return age < sizes.count ? StaticTable.count + 1 + age : nil
    }

    private mutating func announceTableSize(to span: inout OutputRawSpan) {
        guard let announced else { return }
        if announced.smallest < announced.last { Self.append(0x20, prefix: 5, announced.smallest, to: &span) }
        Self.append(0x20, prefix: 5, announced.last, to: &span)
        self.announced = nil
    }

    // MARK: Representations

    private func appendStatus(_ status: Int, to span: inout OutputRawSpan) {
        switch status {
        case 200: span.append(0x88)
        case 204: span.append(0x89)
        case 206: span.append(0x8A)
        case 304: span.append(0x8B)
        case 400: span.append(0x8C)
        case 404: span.append(0x8D)
        case 500: span.append(0x8E)
        default:
            span.append(0x08)
            span.append(3)
            span.append(UInt8(truncatingIfNeeded: 0x30 + status / 100 % 10))
            span.append(UInt8(truncatingIfNeeded: 0x30 + status / 10 % 10))
            span.append(UInt8(truncatingIfNeeded: 0x30 + status % 10))
        }
    }

    private static func appendLiteral(
        _ pattern: UInt8, prefix: Int, _ index: Int, _ name: String, _ field: HTTPField,
        to span: inout OutputRawSpan
    ) {
        append(pattern, prefix: prefix, index, to: &span)
        if index == 0 {
            append(0x00, prefix: 7, name.utf8.count, to: &span)
            span.append(name.utf8)
        }
        field.withUnsafeBytesOfValue { value in
            append(0x00, prefix: 7, value.count, to: &span)
            span.append(UnsafeRawBufferPointer(value))
        }
    }

    /// An integer behind the bits of `pattern` (RFC 7541 §5.1).
    private static func append(_ pattern: UInt8, prefix: Int, _ value: Int, to span: inout OutputRawSpan) {
        let mask = (1 << prefix) - 1
        if value < mask { return span.append(pattern | UInt8(truncatingIfNeeded: value)) }
        span.append(pattern | UInt8(truncatingIfNeeded: mask))
        var rest = value - mask
        while rest >= 0x80 {
            span.append(UInt8(truncatingIfNeeded: rest & 0x7F | 0x80))
            rest >>= 7
        }
        span.append(UInt8(truncatingIfNeeded: rest))
    }
}
