package import HTTPTypes
package import NIOCore

/// The chunked transfer coding (RFC 9112 §7.1), read as it arrives.
package struct ChunkedDecoder: Sendable {
    private enum State {
        case size(UInt64, digits: Int)
        case extensions(UInt64, ChunkExtension)
        case sizeLineFeed(UInt64)
        case data(UInt64)
        case dataCarriageReturn
        case dataLineFeed
        /// The lines before `position`, which counts from the first readable octet, are read.
        case trailers(FieldLines, position: Int)
        case finished
    }

    /// What a call made of the input.
    package enum Step {
        /// All that was there is used up.
        case needMore
        /// Content, in the buffer it arrived in.
        case data(ByteBuffer)
        /// The last chunk and the trailer section, if it had fields, have been read.
        case end(trailers: HTTPFields?)
    }

    private var state: State = .size(0, digits: 0)
    private var extensionOctets = 0
    private let limits: HTTPLimits

    package init(limits: HTTPLimits) {
        self.limits = limits
    }

    /// How much of the chunk that has begun is still to come, by its size.
    package var announced: Int {
        if case .data(let remaining) = state { return Int(clamping: remaining) }
        return 0
    }

    /// Takes the next piece of content from `input`.
    ///
    /// - Throws: `.chunk` for anything malformed, and the limits' errors.
    package mutating func next(_ input: inout ByteBuffer) throws(HTTPError) -> Step {
        while input.readableBytes > 0 {
            if case .data(let remaining) = state {
                let take = remaining < UInt64(input.readableBytes) ? Int(remaining) : input.readableBytes
                guard let slice = input.readSlice(length: take) else { return .needMore }
                state = remaining == UInt64(take) ? .dataCarriageReturn : .data(remaining - UInt64(take))
                return .data(slice)
            }
            if case .trailers(let lines, let position) = state {
                state = .finished
                return try readTrailers(&input, lines, position: position)
            }
            guard let byte: UInt8 = input.readInteger() else { return .needMore }
            try advance(byte)
        }
        return .needMore
    }

    /// One octet of the framing around the data.
    private mutating func advance(_ byte: UInt8) throws(HTTPError) {
        switch state {
        case .size(let value, let digits):
            if let digit = byte.hexDigitValue {
                // Leading zeros are counted as extensions are, so that they cannot go on for ever; so are the digits of
                // a size that no number holds. It stays at the largest there is, which is over every limit and never
                // reached.
                let isTooLarge = value >= 1 << 60
                if digits > 0, value == 0 || isTooLarge { try countExtensionOctet() }
                state = .size(
                    isTooLarge ? .max : value << 4 | UInt64(digit), digits: min(digits + 1, 2))
            } else {
                guard digits > 0 else { throw .chunk }
                if byte == 0x0D { state = .sizeLineFeed(value) } else { try beginExtension(byte, value) }
            }
        case .extensions(let value, var part):
            if byte == 0x0D {
                guard part.mayEnd else { throw .chunk }
                state = .sizeLineFeed(value)
            } else {
                guard part.take(byte) else { throw .chunk }
                try countExtensionOctet()
                state = .extensions(value, part)
            }
        case .sizeLineFeed(let value):
            guard byte == 0x0A else { throw .chunk }
            state = value == 0 ? .trailers(FieldLines(limits: limits), position: 0) : .data(value)
        case .dataCarriageReturn:
            guard byte == 0x0D else { throw .chunk }
            state = .dataLineFeed
        case .dataLineFeed:
            guard byte == 0x0A else { throw .chunk }
            state = .size(0, digits: 0)
        case .data, .trailers, .finished:
            throw .chunk
        }
    }

    /// `BWS ";"` after the size (RFC 9112 §7.1.1); white space before the line's end is not in the grammar.
    private mutating func beginExtension(_ byte: UInt8, _ value: UInt64) throws(HTTPError) {
        guard let part = ChunkExtension(first: byte) else { throw .chunk }
        try countExtensionOctet()
        state = .extensions(value, part)
    }

    private mutating func countExtensionOctet() throws(HTTPError) {
        extensionOctets += 1
        if extensionOctets > limits.maxChunkExtensionsSize {
            throw .chunkExtensionsTooLarge(limit: limits.maxChunkExtensionsSize)
        }
    }

    /// The trailer section (RFC 9112 §7.1.2) is held back until it is whole, within the limits of a head.
    private mutating func readTrailers(
        _ input: inout ByteBuffer, _ lines: consuming FieldLines, position: Int
    ) throws(HTTPError) -> Step {
        var position = position
        guard try lines.parse(input.readableBytesUInt8Span, from: &position, sectionStart: 0),
            let section = input.readSlice(length: position)
        else {
            state = .trailers(lines, position: position)
            return .needMore
        }
        return .end(trailers: lines.slots.isEmpty ? nil : FieldLines.trailerFields(lines.slots, in: section))
    }
}
