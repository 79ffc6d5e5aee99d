import Compression
import HTTPKit
import HTTPTypes
import NIOCore

/// Decodes gzip (RFC 1952) or deflate (RFC 9110 §8.4.1.2) piece by piece.
///
/// Invariant: it is used on one event loop only, as `ContentDecoder` requires.
final class InflatingDecoder: ContentDecoder, @unchecked Sendable {
    enum Coding: String {
        case gzip
        case deflate
    }

    private enum State {
        /// Nothing has been decoded.
        case begin
        case inflating(StreamInflater)
        /// A gzip member has ended. Another may follow (RFC 1952 §2.2).
        case betweenMembers(StreamInflater)
        case ended
    }

    private let coding: Coding
    private var state = State.begin
    private var input = ByteBuffer()

    init(_ coding: Coding) { self.coding = coding }

    func append(_ piece: ByteBuffer) {
        if input.readableBytes == 0 { input = piece } else { input.writeImmutableBuffer(piece) }
    }

    func next(upTo room: Int) throws -> ByteBuffer? {
        while true {
            switch state {
            case .begin:
                guard let inflater = try begin() else { return nil }
                state = .inflating(inflater)
            case .inflating(let inflater):
                var output = ByteBuffer()
                // Small input gets a small buffer, because handlers may keep the buffers.
                let room = min(room, max(1 << 10, 4 * input.readableBytes))
                switch try inflate(inflater, into: &output, room: room) {
                case .isEnded: state = coding == .gzip ? .betweenMembers(inflater) : .ended
                case .isFull: break
                case .needsInput: if output.readableBytes == 0 { return nil }
                }
                if output.readableBytes > 0 { return output }
            case .betweenMembers(let inflater):
                guard input.readableBytes > 0 else { return nil }
                inflater.reset()
                state = .inflating(inflater)
            case .ended:
                guard input.readableBytes == 0 else { throw failure("has data after its end") }
                return nil
            }
        }
    }

    func finish() throws {
        switch state {
        // An empty body is accepted.
        case .begin where input.readableBytes == 0: break
        case .begin, .inflating: throw failure("ends early")
        case .betweenMembers, .ended: break
        }
        state = .ended
    }

    /// Creates a stream of the right format when enough bytes have arrived to tell.
    private func begin() throws -> StreamInflater? {
        let format: StreamInflater.Format
        switch coding {
        case .gzip:
            guard input.readableBytes > 0 else { return nil }
            format = .gzip
        case .deflate:
            guard let start = input.getInteger(at: input.readerIndex, as: UInt16.self) else { return nil }
            // Some clients omit the header of RFC 1950, which RFC 9110 §8.4.1.2 requires. It is a multiple of 31.
            let hasHeader = start >> 8 & 0x0F == 8 && start >> 12 <= 7 && start.isMultiple(of: 31)
            format = hasHeader ? .zlib : .raw
        }
        do {
            return try StreamInflater(format)
        } catch {
            throw HTTPFailure(.serviceUnavailable)
        }
    }

    private func inflate(
        _ inflater: StreamInflater, into output: inout ByteBuffer, room: Int
    ) throws -> StreamInflater.Progress {
        do {
            return try inflater.inflate(&input, into: &output, room: room)
        } catch .memory {
            throw HTTPFailure(.serviceUnavailable)
        } catch {
            throw failure("is malformed")
        }
    }

    private func failure(_ what: String) -> HTTPFailure {
        HTTPFailure(.badRequest, "the \(coding.rawValue) body of the request \(what)")
    }
}
