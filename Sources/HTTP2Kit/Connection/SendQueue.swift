import DequeModule
import NIOCore

/// The content of one stream that waits for room in the windows, in order.
struct SendQueue {
    private struct Piece {
        var data: ByteBuffer
        /// Told when all of the piece has been handed to the transport.
        let promise: EventLoopPromise<Void>?
    }

    private var pieces = Deque<Piece>()
    /// How many bytes wait.
    private(set) var count = 0
    /// How many bytes have been put in, all in all.
    private(set) var total = 0

    var isEmpty: Bool { pieces.isEmpty }

    mutating func append(_ data: ByteBuffer, promise: EventLoopPromise<Void>? = nil) {
        count += data.readableBytes
        total &+= data.readableBytes
        pieces.append(Piece(data: data, promise: promise))
    }

    /// Takes the next `limit` bytes out, and hands them to `write` in pieces.
    ///
    /// - Returns: the promises of the pieces that are gone.
    mutating func take(_ limit: Int, _ write: (ByteBuffer) -> Void) -> [EventLoopPromise<Void>] {
        var left = limit
        var promises: [EventLoopPromise<Void>] = []
        while var piece = pieces.popFirst() {
            if piece.data.readableBytes > left {
                if let part = piece.data.readSlice(length: left), left > 0 { write(part) }
                pieces.prepend(piece)
                left = 0
                break
            }
            left -= piece.data.readableBytes
            if piece.data.readableBytes > 0 { write(piece.data) }
            if let promise = piece.promise { promises.append(promise) }
        }
        count -= limit - left
        return promises
    }

    /// Drops everything. Returns the promises that can no longer be kept.
    mutating func removeAll() -> [EventLoopPromise<Void>] {
        let promises = pieces.compactMap(\.promise)
        pieces.removeAll()
        count = 0
        return promises
    }
}
