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
        /// After a delimiter: `--`, or padding, of which `scanned` bytes are known to be, and the line's end.
        case delimiterEnd(scanned: Int)
        /// From a delimiter's line end to the empty line; the octets before `scanned` hold no empty line.
        case head(scanned: Int)
        /// At the empty line behind a head, whose line end may begin a delimiter: then there is no content.
        case headEnd
        case epilogue
    }

    private let delimiter: [UInt8]
    private let limits: MultipartLimits
    private var state = State.content(inPart: false)
    /// A part ended here and its event is still to be handed out.
    private var pendingPartEnd = false
    private var buffer: ByteBuffer
    /// Nothing shares the buffer's storage, so that what is appended need not move the rest.
    private var isBufferOwn = true
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
            isBufferOwn = false
        } else if isBufferOwn {
            buffer.discardReadBytes()
            buffer.writeImmutableBuffer(input)
        } else {
            // What is left over may be shared with a slice handed out before, so it moves to a buffer of its own.
            var joined = ByteBuffer()
            joined.reserveCapacity(buffer.readableBytes + input.readableBytes)
            joined.writeImmutableBuffer(buffer)
            joined.writeImmutableBuffer(input)
            buffer = joined
            isBufferOwn = true
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
            case .delimiterEnd(let scanned):
                guard let isLast = try delimiterEnd(scanned: scanned) else { return .needMore }
                if isLast {
                    state = .epilogue
                    buffer = ByteBuffer()
                    return .event(.end)
                }
            case .head(let scanned):
                guard let head = try head(scanned: scanned) else { return .needMore }
                return .event(.partBegin(head))
            case .headEnd:
                guard headEnd() else { return .needMore }
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
        if inPart, end > 0 { isBufferOwn = false }
        if isDelimiter {
            buffer.moveReaderIndex(forwardBy: delimiter.count)
            state = .delimiterEnd(scanned: 0)
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
    private mutating func delimiterEnd(scanned: Int) throws(MultipartError) -> Bool? {
        switch try delimiterLine(scanned: scanned) {
        case .incomplete(let padding):
            state = .delimiterEnd(scanned: padding)
            return nil
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
        case incomplete(padding: Int)
        case last
        case part(padding: Int)
    }

    private func delimiterLine(scanned: Int) throws(MultipartError) -> DelimiterLine {
        let bytes = buffer.readableBytesUInt8Span
        guard bytes.count >= 2 else { return .incomplete(padding: 0) }
        if bytes[0] == UInt8(ascii: "-"), bytes[1] == UInt8(ascii: "-") { return .last }
        var index = scanned
        while index < bytes.count, bytes[index].isBlank { index += 1 }
        guard index <= limits.maxPartHeadSize else {
            throw .partHeadTooLarge(limit: limits.maxPartHeadSize, part: parts + 1)
        }
        guard index + 1 < bytes.count else {
            guard index == bytes.count || bytes[index] == 0x0D else { throw .delimiter }
            return .incomplete(padding: index)
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
        let lines = buffer.readBytes(length: end + 2) ?? []
        state = .headEnd
        return try MultipartPartHead(lines: Array(lines.dropFirst(2)), part: parts)
    }

    /// Goes on behind the empty line of a head; `false` when more is needed.
    ///
    /// A part may have no content at all (RFC 2046 §5.1.1: body-part). Then the empty line is the delimiter's line end.
    private mutating func headEnd() -> Bool {
        let matched = matchedDelimiter()
        if matched == delimiter.count {
            buffer.moveReaderIndex(forwardBy: delimiter.count)
            state = .delimiterEnd(scanned: 0)
            pendingPartEnd = true
            return true
        }
        guard matched < buffer.readableBytes else { return false }
        buffer.moveReaderIndex(forwardBy: 2)
        state = .content(inPart: true)
        return true
    }

    /// How many bytes of a delimiter the buffer begins with.
    private func matchedDelimiter() -> Int {
        let bytes = buffer.readableBytesUInt8Span
        var matched = 0
        while matched < delimiter.count, matched < bytes.count, bytes[matched] == delimiter[matched] {
            matched += 1
        }
        return matched
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
