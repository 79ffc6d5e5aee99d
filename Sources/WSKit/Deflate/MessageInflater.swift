package import Compression
package import NIOCore

/// Decompresses the messages of one direction of a connection, as their octets arrive (RFC 7692 §7.2.2).
package struct MessageInflater {
    private enum Context {
        /// Every message on its own; the decompressor is borrowed while one is being read.
        case shared(Inflater?)
        /// Each after the ones before.
        case takeover(Inflater)
        /// Each after the ones before; only their history is kept.
        case asleep([UInt8])
    }

    private var context: Context
    private var isInMessage = false
    /// The room was used up: more may come out without more octets.
    private var holdsMore = false
    private let windowBits: Int
    private let shared: SharedDeflate

    /// A decompressor of what `role` sends.
    package init(_ parameters: DeflateParameters, from role: Role, shared: SharedDeflate) {
        let direction = parameters.direction(from: role)
        windowBits = direction.windowBits
        context = direction.takesContextOver ? .asleep([]) : .shared(nil)
        self.shared = shared
    }

    /// Where masked octets may be put to be inflated from.
    package var scratch: SharedDeflate { shared }

    /// Appends what comes out of `input`, a part of a message, to `out`, at most `room` octets.
    package mutating func inflate(_ input: RawSpan, into out: inout ByteBuffer, room: Int)
        throws(CompressionError) -> Inflater.Progress
    {
        let progress = try begin().inflate(input, into: &out, room: room)
        holdsMore = progress.isFull
        return progress
    }

    /// Uses up `input` when the message is at its limit.
    package mutating func inflateNothing(_ input: RawSpan) throws(CompressionError) {
        try begin().inflateNothing(input)
    }

    /// Appends what the end of the message brings out, at most `room` octets; true when that was all.
    ///
    /// A message that leaves no block unfinished needs no tail: one without octets, or whose sender did not leave
    /// the tail off. The tail would be a beginning without an end then, and spoil the messages behind.
    ///
    /// - Throws: ``CompressionError/corrupt`` when the message ends in the middle of a block, and as inflating does.
    package mutating func finish(into out: inout ByteBuffer, room: Int) throws(CompressionError) -> Bool {
        let inflater = try begin()
        if holdsMore, !inflater.isBetweenBlocks {
            // What is left of the message itself comes out first: none of it may come of the tail.
            holdsMore = try inflater.inflate(RawSpan(), into: &out, room: room).isFull
            if holdsMore { return false }
        }
        if !inflater.isBetweenBlocks { try feedTail(to: inflater, after: &out) }
        end()
        return true
    }

    /// Ends a message at its limit.
    package mutating func finishNothing() throws(CompressionError) {
        let inflater = try begin()
        try inflater.inflateNothing(RawSpan())
        var nothing = ByteBuffer()
        if !inflater.isBetweenBlocks { try feedTail(to: inflater, after: &nothing) }
        end()
    }

    /// With its tail the message is whole blocks, or octets of it are missing. The tail is a block without content: when
    /// something comes out, it was taken for the last octets of a stored block.
    private func feedTail(to inflater: Inflater, after out: inout ByteBuffer) throws(CompressionError) {
        let end = out.writerIndex
        _ = try inflater.inflate(Inflater.tail.span.bytes, into: &out, room: 1)
        guard out.writerIndex == end, inflater.isBetweenBlocks else {
            out.moveWriterIndex(to: end)
            throw .corrupt
        }
    }

    /// Gives back the working memory between messages, and keeps the history: at most 32 KiB.
    package mutating func sleep() {
        guard !isInMessage, case .takeover(let inflater) = context else { return }
        context = .asleep(inflater.dictionary())
    }

    /// Working memory is held.
    package var isAwake: Bool {
        switch context {
        case .takeover, .shared(_?): true
        case .asleep, .shared(nil): false
        }
    }

    /// What a message under way takes here beside its bytes, about: zlib's state and a window of 32 KiB.
    package var messageMemory: Int { isInMessage ? 48 << 10 : 0 }

    /// Forgets the message under way, and the history with it: nothing more is decompressed.
    package mutating func discardMessage() {
        guard isInMessage else { return }
        end()
        if case .takeover = context { context = .asleep([]) }
    }

    private mutating func begin() throws(CompressionError) -> Inflater {
        if !isInMessage {
            isInMessage = true
            holdsMore = false
        }
        switch context {
        case .takeover(let inflater), .shared(let inflater?): return inflater
        case .shared(nil):
            let inflater = try shared.borrowInflater()
            context = .shared(inflater)
            return inflater
        case .asleep(let history):
            let inflater = try Inflater(windowBits: windowBits)
            try inflater.setDictionary(history)
            context = .takeover(inflater)
            return inflater
        }
    }

    private mutating func end() {
        isInMessage = false
        if case .shared(let inflater?) = context {
            shared.giveBack(inflater)
            context = .shared(nil)
        }
    }
}
