/// How much a client may still send, on a stream or on the connection (RFC 9113 §6.9).
struct ReceiveWindow {
    /// How much may be on its way at most.
    private let size: Int
    /// How much the client may send by what it has been told.
    private(set) var open: Int

    /// - Parameter open: what the client begins with.
    init(size: Int, open: Int) {
        self.size = size
        self.open = open
    }

    /// Counts what has arrived; `false` if that is more than was allowed.
    mutating func take(_ bytes: Int) -> Bool {
        open -= bytes
        return open >= 0
    }

    /// What the client can be told that it may send more. Small amounts wait: each costs a frame.
    ///
    /// - Parameter held: how much is held back, since it waits for a handler.
    mutating func credit(held: Int) -> Int? {
        let more = size - held - open
        guard more > 0, more >= size / 2 || open <= 0 else { return nil }
        open += more
        return more
    }
}
