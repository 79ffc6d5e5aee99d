package import HTTPTypes
package import NIOCore

/// The chunked transfer coding (RFC 9112 §7.1), read as it arrives.
package struct ChunkedDecoder: Sendable {
    private enum State: Equatable {
        case size(UInt64, digits: Int)
        case blankBeforeExtension(UInt64)
        case extensions(UInt64)
        case sizeLineFeed(UInt64)
        case data(UInt64)
        case dataCarriageReturn
        case dataLineFeed
        case trailers(scanned: Int)
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
            if case .trailers(let scanned) = state {
                return try readTrailers(&input, scanned: scanned)
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
                // 15 significant digits are far beyond any limit and cannot overflow; leading zeros are counted
                // as extensions are, so that they cannot go on for ever.
                if value == 0, digits > 0 { try countExtensionOctet() }
                guard value < 1 << 56 else { throw .chunk }
                state = .size(value << 4 | UInt64(digit), digits: min(digits + 1, 2))
            } else {
                guard digits > 0 else { throw .chunk }
                if byte == 0x0D { state = .sizeLineFeed(value) } else { try beginExtension(byte, value) }
            }
        case .blankBeforeExtension(let value):
            try beginExtension(byte, value)
        case .extensions(let value):
            if byte == 0x0D {
                state = .sizeLineFeed(value)
            } else {
                guard !byte.isForbiddenControl else { throw .chunk }
                try countExtensionOctet()
            }
        case .sizeLineFeed(let value):
            guard byte == 0x0A else { throw .chunk }
            state = value == 0 ? .trailers(scanned: 0) : .data(value)
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
        guard byte == 0x3B || byte.isBlank else { throw .chunk }
        try countExtensionOctet()
        state = byte == 0x3B ? .extensions(value) : .blankBeforeExtension(value)
    }

    private mutating func countExtensionOctet() throws(HTTPError) {
        extensionOctets += 1
        if extensionOctets > limits.maxChunkExtensionsSize {
            throw .chunkExtensionsTooLarge(limit: limits.maxChunkExtensionsSize)
        }
    }

    /// The trailer section (RFC 9112 §7.1.2) is held back until it is whole, within the limits of a head.
    private mutating func readTrailers(_ input: inout ByteBuffer, scanned: Int) throws(HTTPError) -> Step {
        var lines = FieldLines(limits: limits)
        var length = 0
        guard try Self.parse(&lines, input.readableBytesUInt8Span, scanned: scanned, length: &length),
            let section = input.readSlice(length: length)
        else {
            state = .trailers(scanned: input.readableBytes)
            return .needMore
        }
        state = .finished
        return .end(trailers: lines.slots.isEmpty ? nil : lines.trailerFields(in: section))
    }

    /// Reads the section from its start, but only when a line has ended since the last look.
    private static func parse(
        _ lines: inout FieldLines, _ span: borrowing Span<UInt8>, scanned: Int, length: inout Int
    ) throws(HTTPError) -> Bool {
        var index = scanned
        while index < span.count, span[index] != 0x0A { index += 1 }
        if index < span.count || scanned == 0 { return try lines.parse(span, from: &length, sectionStart: 0) }
        try lines.checkSize(span.count)
        return false
    }
}
