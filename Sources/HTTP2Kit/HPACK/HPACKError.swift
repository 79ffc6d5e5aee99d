/// Why a field block cannot be decompressed. The state of the table is lost, so the connection ends (RFC 7541 §2.3.3,
/// RFC 9113 §4.3).
enum HPACKError: Error, Equatable {
    /// The block ends in the midst of a field.
    case truncated
    /// An integer is larger than any that is of use (RFC 7541 §5.1).
    case integerTooLarge
    /// An index beyond the end of the tables (RFC 7541 §2.3.3).
    case index(Int)
    /// A string in Huffman code that is malformed (RFC 7541 §5.2).
    case huffman
    /// A table size above what this end has allowed (RFC 7541 §6.3).
    case tableSize(Int)
    /// A change of the table size behind a field (RFC 7541 §4.2).
    case misplacedTableSize

    /// The reason, as the debug data of GOAWAY give it.
    var reason: String {
        switch self {
        case .truncated: "a field block ends in the midst of a field"
        case .integerTooLarge: "an integer in a field block is too large"
        case .index(let index): "the field index \(index) is in no table"
        case .huffman: "a string is not valid Huffman code"
        case .tableSize(let size): "the table size \(size) is above the limit"
        case .misplacedTableSize: "a change of the table size stands behind a field"
        }
    }
}
