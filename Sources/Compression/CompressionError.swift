/// Why a compressed stream could not go on.
package enum CompressionError: Error, Equatable, Sendable {
    /// The octets are not deflate data (RFC 1951), or refer to history that was never there.
    case corrupt
    /// zlib could not have the memory it asked for, or was given settings outside its ranges.
    case memory
    /// Inflating would yield more octets than the caller allows.
    case overLimit
}
