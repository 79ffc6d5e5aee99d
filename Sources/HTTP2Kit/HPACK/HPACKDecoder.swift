import HTTPKit
import NIOCore

/// Decompresses the field blocks of one connection (RFC 7541 §3.2), without I/O.
struct HPACKDecoder {
    private var table: DynamicTable
    /// The largest table that this end has allowed, by SETTINGS_HEADER_TABLE_SIZE.
    private let allowedSize: Int

    /// The size of the table before anything else is said (RFC 9113 §6.5.2).
    static let defaultTableSize = 4096

    init(tableSize: Int = Self.defaultTableSize) {
        table = DynamicTable(maxSize: tableSize)
        allowedSize = tableSize
    }

    /// How often the table has changed: as long as it has not, the same block has the same fields.
    var changes: Int { table.changes }

    /// Decompresses a whole block. Fields above the limits of `section` are counted but not kept, since the table needs
    /// to see the whole block.
    mutating func decode(
        _ block: borrowing Span<UInt8>, into section: inout FieldSection
    ) throws(HPACKError) {
        var reader = HPACKReader(position: 0)
        var sawField = false
        while reader.position < block.count {
            let first = block[reader.position]
            if first & 0x80 != 0 {
                // Indexed field (§6.1).
                let index = try reader.integer(block, prefix: 7)
                try appendEntry(index, to: &section)
                sawField = true
            } else if first & 0xE0 == 0x20 {
                // Dynamic table size update (§6.3).
                let size = try reader.integer(block, prefix: 5)
                guard !sawField else { throw .misplacedTableSize }
                guard size <= allowedSize else { throw .tableSize(size) }
                table.resize(to: size)
            } else {
                // A literal: with indexing (§6.2.1), without (§6.2.2), never indexed (§6.2.3).
                let isIndexed = first & 0x40 != 0
                let index = try reader.integer(block, prefix: isIndexed ? 6 : 4)
                try appendLiteral(nameIndex: index, isIndexed: isIndexed, &reader, block, to: &section)
                sawField = true
            }
        }
    }

    private func appendEntry(_ index: Int, to section: inout FieldSection) throws(HPACKError) {
        guard index > 0 else { throw .index(index) }
        if index <= StaticTable.count {
            let entry = StaticTable.entries[index - 1]
            let end = entry.nameStart + entry.nameLength + entry.valueLength
            let bytes = StaticTable.bytes
            section.append(bytes.span.extracting(entry.nameStart..<end), nameLength: entry.nameLength)
            return
        }
        guard let entry = table[index - StaticTable.count - 1] else { throw .index(index) }
        let bytes = entry.bytes
        section.append(bytes.span, nameLength: entry.nameLength)
    }

    private mutating func appendLiteral(
        nameIndex: Int, isIndexed: Bool, _ reader: inout HPACKReader, _ block: borrowing Span<UInt8>,
        to section: inout FieldSection
    ) throws(HPACKError) {
        let start = section.position
        if nameIndex == 0 {
            try reader.string(block, into: &section.buffer)
        } else if nameIndex <= StaticTable.count {
            let entry = StaticTable.entries[nameIndex - 1]
            section.buffer.writeBytes(
                StaticTable.bytes[entry.nameStart..<entry.nameStart + entry.nameLength])
        } else {
            guard let entry = table[nameIndex - StaticTable.count - 1] else { throw .index(nameIndex) }
            section.buffer.writeBytes(entry.bytes[..<entry.nameLength])
        }
        let nameLength = section.position - start
        try reader.string(block, into: &section.buffer)
        if isIndexed {
            table.insert(DynamicTable.Entry(bytes: section.bytes(from: start), nameLength: nameLength))
        }
        section.endField(from: start, nameLength: nameLength)
    }
}

/// Reads integers and strings of a field block (RFC 7541 §5).
struct HPACKReader {
    var position: Int

    /// Larger integers are of no use: no string and no table may be as large.
    private static let maxInteger = 1 << 28

    /// An integer whose first byte has `prefix` bits of it (RFC 7541 §5.1).
    mutating func integer(_ block: borrowing Span<UInt8>, prefix: Int) throws(HPACKError) -> Int {
        guard position < block.count else { throw .truncated }
        let mask = (1 << prefix) - 1
        var value = Int(block[position]) & mask
        position += 1
        guard value == mask else { return value }
        var shift = 0
        while true {
            guard position < block.count else { throw .truncated }
            let byte = block[position]
            position += 1
            guard shift <= 28 else { throw .integerTooLarge }
            value += Int(byte & 0x7F) << shift
            guard value <= Self.maxInteger else { throw .integerTooLarge }
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
    }

    /// A string, plain or in Huffman code (RFC 7541 §5.2), appended to `output`.
    mutating func string(
        _ block: borrowing Span<UInt8>, into output: inout ByteBuffer
    ) throws(HPACKError) {
        guard position < block.count else { throw .truncated }
        let isHuffman = block[position] & 0x80 != 0
        let length = try integer(block, prefix: 7)
        guard length <= block.count - position else { throw .truncated }
        let string = block.extracting(position..<position + length)
        position += length
        let room = isHuffman ? Huffman.maxDecodedCount(length) : length
        var isValid = true
        output.writeWithOutputRawSpan(minimumWritableBytes: room) { span in
            if isHuffman {
                isValid = Huffman.shared.decode(string, into: &span)
            } else {
                string.withUnsafeBytes { span.append($0) }
            }
        }
        guard isValid else { throw .huffman }
    }
}
