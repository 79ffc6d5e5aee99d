package import NIOCore

/// Takes frame headers off a stream of octets, however it was cut (RFC 6455 §5.2).
package struct FrameDecoder {
    /// Who sent the octets.
    private let sender: Role
    private let allowsCompression: Bool
    /// The beginning of a header whose rest has not come: it is kept here so that no octet waits outside.
    private var partial = InlineArray<14, UInt8>(repeating: 0)
    private var partialCount = 0

    /// A decoder of what `sender` sends.
    ///
    /// - Parameter allowsCompression: permessage-deflate was negotiated, so that RSV1 has a meaning.
    package init(sender: Role, allowsCompression: Bool) {
        self.sender = sender
        self.allowsCompression = allowsCompression
    }

    /// Takes the next header from `input`; nil when more octets are needed, all of `input` being used up.
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
        while partialCount < FrameHeader.maxEncodedLength, let octet = input.readInteger(as: UInt8.self) {
            partial[partialCount] = octet
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
