public import NIOCore

/// What the parser found.
public enum MultipartEvent: Sendable, Equatable {
    /// A part begins.
    case partBegin(MultipartPartHead)
    /// Some of the part's content, in order; never empty.
    case data(ByteBuffer)
    /// The part is whole.
    case partEnd
    /// The closing delimiter was read; what follows is ignored.
    case end
}

/// One step of the parser.
public enum MultipartStep: Sendable, Equatable {
    /// All input is used up: append more, or call `finish()` when there is none.
    case needMore
    /// The next event.
    case event(MultipartEvent)
}

/// Reads `multipart/form-data` (RFC 7578, on the grammar of RFC 2046 §5.1.1) as it arrives, without I/O.
///
/// Content is handed on as slices of the input and never collected; what is kept between two inputs is a part's
/// head, bounded by `maxPartHeadSize`, or the beginning of a possible delimiter.
public struct MultipartParser: Sendable {
    private enum State {
        /// Before the first delimiter (preamble) or inside a part's content: up to the next delimiter.
        case content(inPart: Bool)
        /// After a delimiter: `--`, or padding and the line's end.
        case delimiterEnd
        /// From a delimiter's line end to the empty line; the octets before `scanned` hold no empty line.
        case head(scanned: Int)
        case epilogue
    }

    private let delimiter: [UInt8]
    private let limits: MultipartLimits
    private var state = State.content(inPart: false)
    /// A part ended here and its event is still to be handed out.
    private var pendingPartEnd = false
    private var buffer: ByteBuffer
    private var size = 0
    private var parts = 0

    /// A parser of bodies with this boundary.
    public init(boundary: MultipartBoundary, limits: MultipartLimits = MultipartLimits()) {
        delimiter = Array("\r\n--\(boundary.value)".utf8)
        self.limits = limits
        // A delimiter begins with a line end, and the body's first needs none: it is supplied here.
        buffer = ByteBuffer(bytes: [0x0D, 0x0A])
    }

    /// Adds input; the buffer's readable bytes.
    ///
    /// - Throws: `MultipartError.tooLarge` when the whole is over the limit.
    public mutating func append(_ input: ByteBuffer) throws(MultipartError) {
        let (sum, overflow) = size.addingReportingOverflow(input.readableBytes)
        guard !overflow, sum <= limits.maxSize else {
            throw .tooLarge(limit: limits.maxSize, size: overflow ? Int.max : sum)
        }
        size = sum
        if case .epilogue = state { return }
        if buffer.readableBytes == 0 {
            buffer = input
        } else {
            // What is left over may be shared with a slice handed out before, so it moves to a buffer of its own.
            var joined = ByteBuffer()
            joined.reserveCapacity(buffer.readableBytes + input.readableBytes)
            joined.writeImmutableBuffer(buffer)
            joined.writeImmutableBuffer(input)
            buffer = joined
        }
    }

    /// The next event, or `needMore` once the input is used up.
    public mutating func next() throws(MultipartError) -> MultipartStep {
        while true {
            if pendingPartEnd {
                pendingPartEnd = false
                return .event(.partEnd)
            }
            switch state {
            case .content(let inPart):
                switch content(inPart: inPart) {
                case .none: return .needMore
                case .some(let data) where inPart && data.readableBytes > 0: return .event(.data(data))
                case .some: continue
                }
            case .delimiterEnd:
                guard let isLast = try delimiterEnd() else { return .needMore }
                if isLast {
                    state = .epilogue
                    buffer = ByteBuffer()
                    return .event(.end)
                }
            case .head(let scanned):
                guard let head = try head(scanned: scanned) else { return .needMore }
                return .event(.partBegin(head))
            case .epilogue:
                return .needMore
            }
        }
    }

    /// Says that the input is whole.
    ///
    /// - Throws: `MultipartError.incomplete` when the closing delimiter has not been read.
    public func finish() throws(MultipartError) {
        guard case .epilogue = state else { throw .incomplete }
    }

    /// Takes the octets before the next delimiter; `nil` when none can be taken. Only the delimiter's first octet
    /// is a CR, so a failed match needs no step back and the search is linear whatever the boundary.
    private mutating func content(inPart: Bool) -> ByteBuffer? {
        let (end, isDelimiter) = search()
        let data = buffer.readSlice(length: end)
        if isDelimiter {
            buffer.moveReaderIndex(forwardBy: delimiter.count)
            state = .delimiterEnd
            pendingPartEnd = inPart
            return data
        }
        return end > 0 ? data : nil
    }

    /// Where the next delimiter, or what may become one, begins; the readable length when there is neither.
    private func search() -> (end: Int, isDelimiter: Bool) {
        let bytes = buffer.readableBytesUInt8Span
        var index = 0
        while true {
            while index < bytes.count, bytes[index] != 0x0D { index &+= 1 }
            guard index < bytes.count else { return (bytes.count, false) }
            var matched = 1
            while matched < delimiter.count, index &+ matched < bytes.count,
                bytes[index &+ matched] == delimiter[matched]
            { matched &+= 1 }
            if matched == delimiter.count { return (index, true) }
            if index &+ matched == bytes.count { return (index, false) }
            index &+= matched
        }
    }

    /// Whether the delimiter closes the body; `nil` when more is needed. The line end stays in the buffer: with
    /// it an empty head looks like any other.
    private mutating func delimiterEnd() throws(MultipartError) -> Bool? {
        switch try delimiterLine() {
        case .none: return nil
        case .last: return true
        case .part(let padding):
            guard parts < limits.maxParts else { throw .tooManyParts(limit: limits.maxParts) }
            parts += 1
            buffer.moveReaderIndex(forwardBy: padding)
            state = .head(scanned: 0)
            return false
        }
    }

    private enum DelimiterLine {
        case last
        case part(padding: Int)
    }

    private func delimiterLine() throws(MultipartError) -> DelimiterLine? {
        let bytes = buffer.readableBytesUInt8Span
        guard bytes.count >= 2 else { return nil }
        if bytes[0] == UInt8(ascii: "-"), bytes[1] == UInt8(ascii: "-") { return .last }
        var index = 0
        while index < bytes.count, bytes[index].isBlank { index += 1 }
        guard index <= limits.maxPartHeadSize else {
            throw .partHeadTooLarge(limit: limits.maxPartHeadSize, part: parts + 1)
        }
        guard index + 1 < bytes.count else {
            guard index == bytes.count || bytes[index] == 0x0D else { throw .delimiter }
            return nil
        }
        guard bytes[index] == 0x0D, bytes[index + 1] == 0x0A else { throw .delimiter }
        return .part(padding: index)
    }

    /// The head at the buffer's start, once its empty line is there.
    private mutating func head(scanned: Int) throws(MultipartError) -> MultipartPartHead? {
        let (end, isWhole) = emptyLine(from: scanned)
        // The delimiter's line end is counted for that of the last field line, which is not yet passed.
        guard end <= limits.maxPartHeadSize else {
            throw .partHeadTooLarge(limit: limits.maxPartHeadSize, part: parts)
        }
        guard isWhole else {
            state = .head(scanned: end)
            return nil
        }
        var lines = buffer.readSlice(length: end + 4) ?? ByteBuffer()
        lines.moveReaderIndex(forwardBy: 2)
        let octets = Array(lines.readableBytesView.dropLast(2))
        state = .content(inPart: true)
        return try MultipartPartHead(lines: octets, part: parts)
    }

    /// Where CR LF CR LF begins, or where the search goes on once there is more.
    private func emptyLine(from scanned: Int) -> (end: Int, isWhole: Bool) {
        let bytes = buffer.readableBytesUInt8Span
        var index = scanned
        while index &+ 3 < bytes.count {
            if bytes[index] == 0x0D, bytes[index &+ 1] == 0x0A, bytes[index &+ 2] == 0x0D,
                bytes[index &+ 3] == 0x0A
            {
                return (index, true)
            }
            index &+= 1
        }
        return (index, false)
    }
}
