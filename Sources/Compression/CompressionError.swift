/// Why a compressor or decompressor failed.
package enum CompressionError: Error, Equatable, Sendable {
    /// The bytes are not deflate data (RFC 1951), or refer to bytes before the beginning of the history.
    case corrupt
    /// zlib could not allocate memory, or a setting is outside its range.
    case memory
    /// The output would be larger than the caller allows.
    case overLimit
}
