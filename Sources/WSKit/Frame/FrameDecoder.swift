package import NIOCore

/// Reads frame headers from a stream of bytes, however it is split (RFC 6455 §5.2).
package struct FrameDecoder {
    /// The end that sent the bytes.
    private let sender: Role
    private let allowsCompression: Bool
    /// The beginning of an incomplete header, so that the input can always be consumed.
    private var partial = InlineArray<14, UInt8>(repeating: 0)
    private var partialCount = 0

    /// Creates a decoder for the frames of `sender`.
    ///
    /// - Parameter allowsCompression: whether permessage-deflate was negotiated, which gives RSV1 a meaning.
    package init(sender: Role, allowsCompression: Bool) {
        self.sender = sender
        self.allowsCompression = allowsCompression
    }

    /// Reads the next header from `input`. Returns `nil` if more bytes are needed; `input` is then consumed.
    ///
    /// - Throws: see ``FrameHeader/parse(_:from:allowsCompression:)``.
    package mutating func next(_ input: inout ByteBuffer) throws(WSError) -> FrameHeader? {
        if partialCount == 0 {
            if let header = try FrameHeader.parse(
                input.readableBytesUInt8Span, from: sender, allowsCompression: allowsCompression)
            {
                input.moveReaderIndex(forwardBy: header.encodedLength)
                return header
            }
        }
        return try nextFromPieces(&input)
    }

    private mutating func nextFromPieces(_ input: inout ByteBuffer) throws(WSError) -> FrameHeader? {
        while partialCount < FrameHeader.maxEncodedLength, let byte = input.readInteger(as: UInt8.self) {
            partial[partialCount] = byte
            partialCount += 1
            if let header = try FrameHeader.parse(
                partial.span.extracting(0..<partialCount), from: sender, allowsCompression: allowsCompression)
            {
                partialCount = 0
                return header
            }
        }
        return nil
    }
}
