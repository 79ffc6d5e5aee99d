import HTTPTypes
import NIOCore

/// The content of one request on its way in: which octets of the connection are its (RFC 9112 §6).
enum BodyDecoder {
    /// There is none, or it has all been read.
    case done
    case length(remaining: Int)
    case chunked(Chunked)

    /// The decoder behind one reference: most requests have no content, and the enumeration is looked at often.
    final class Chunked {
        var decoder: ChunkedDecoder
        init(_ limits: HTTPLimits) { decoder = ChunkedDecoder(limits: limits) }
    }

    init(_ framing: BodyFraming, limits: HTTPLimits) {
        switch framing {
        case .none: self = .done
        case .length(let length): self = .length(remaining: length)
        case .chunked: self = .chunked(Chunked(limits))
        }
    }

    var isDone: Bool {
        if case .done = self { return true }
        return false
    }

    /// How much of the chunk that has begun is still to come, by its size: half of all integers at most. 0 where the body is not chunked.
    var announced: Int {
        if case .chunked(let chunked) = self { return min(chunked.decoder.announced, .max / 2) }
        return 0
    }

    /// Takes the next piece from `input`.
    mutating func next(_ input: inout ByteBuffer) throws(HTTPError) -> ChunkedDecoder.Step {
        switch self {
        case .done:
            return .end(trailers: nil)
        case .length(let remaining):
            let take = min(remaining, input.readableBytes)
            guard take > 0, let slice = input.readSlice(length: take) else { return .needMore }
            self = .length(remaining: remaining - take)
            if take == remaining { self = .done }
            return .data(slice)
        case .chunked(let chunked):
            let step = try chunked.decoder.next(&input)
            if case .end = step { self = .done }
            return step
        }
    }
}
