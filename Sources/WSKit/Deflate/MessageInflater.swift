package import Compression
package import NIOCore

/// Decompresses the messages of one direction of a connection, as their bytes arrive (RFC 7692 §7.2.2).
package struct MessageInflater {
    private enum Context {
        /// Every message is decompressed on its own. The decompressor is borrowed while a message is being read.
        case shared(Inflater?)
        /// Messages refer to those before them.
        case takeover(Inflater)
        /// Messages refer to those before them, and only their history is kept.
        case asleep([UInt8])
    }

    private var context: Context
    private var isInMessage = false
    /// The last call used up its room: there may be more output without more input.
    private var hasMoreOutput = false
    private let windowBits: Int
    private let shared: SharedDeflate

    /// Creates a decompressor for the messages that `role` sends.
    package init(_ parameters: DeflateParameters, from role: Role, shared: SharedDeflate) {
        let direction = parameters.direction(from: role)
        windowBits = direction.windowBits
        context = direction.takesContextOver ? .asleep([]) : .shared(nil)
        self.shared = shared
    }

    /// The owner of the scratch buffer into which masked bytes are unmasked.
    package var scratch: SharedDeflate { shared }

    /// Inflates `input`, a part of a message, and appends at most `room` bytes to `out`.
    package mutating func inflate(_ input: RawSpan, into out: inout ByteBuffer, room: Int)
        throws(CompressionError) -> Inflater.Progress
    {
        let progress = try begin().inflate(input, into: &out, room: room)
        hasMoreOutput = progress.isFull
        return progress
    }

    /// Consumes `input` after the message has reached its limit: it must not produce any output.
    package mutating func inflateAtLimit(_ input: RawSpan) throws(CompressionError) {
        try begin().inflateAtLimit(input)
    }

    /// Inflates the end of the message and appends at most `room` bytes to `out`. Returns whether the message is complete.
    ///
    /// Normally the tail that the sender removed is fed to the decompressor. A message that leaves no block unfinished gets
    /// no tail: an empty one, or one whose sender did not remove the tail. The tail would then begin a block that never
    /// ends, and corrupt the messages after this one.
    ///
    /// - Throws: ``CompressionError/corrupt`` if the message ends in the middle of a block, and the errors of inflating.
    package mutating func finish(into out: inout ByteBuffer, room: Int) throws(CompressionError) -> Bool {
        let inflater = try begin()
        if hasMoreOutput, !inflater.isBetweenBlocks {
            // The rest of the message itself comes first, so that any output after the tail is an error.
            hasMoreOutput = try inflater.inflate(RawSpan(), into: &out, room: room).isFull
            if hasMoreOutput { return false }
        }
        if !inflater.isBetweenBlocks { try feedTail(to: inflater, after: &out) }
        end()
        return true
    }

    /// Ends a message that has reached its limit: its end must not produce any output.
    package mutating func finishAtLimit() throws(CompressionError) {
        let inflater = try begin()
        try inflater.inflateAtLimit(RawSpan())
        var nothing = ByteBuffer()
        if !inflater.isBetweenBlocks { try feedTail(to: inflater, after: &nothing) }
        end()
    }

    /// With the tail, the message must consist of whole blocks; otherwise bytes of it are missing. The tail is an empty
    /// block. If it produces output, it was read as the last bytes of a stored block.
    private func feedTail(to inflater: Inflater, after out: inout ByteBuffer) throws(CompressionError) {
        let end = out.writerIndex
        _ = try inflater.inflate(Inflater.tail.span.bytes, into: &out, room: 1)
        guard out.writerIndex == end, inflater.isBetweenBlocks else {
            out.moveWriterIndex(to: end)
            throw .corrupt
        }
    }

    /// Frees the working memory between messages. The history is kept, at most 32 KiB.
    package mutating func sleep() {
        guard !isInMessage, case .takeover(let inflater) = context else { return }
        context = .asleep(inflater.dictionary())
    }

    /// Whether working memory is held.
    package var isAwake: Bool {
        switch context {
        case .takeover, .shared(_?): true
        case .asleep, .shared(nil): false
        }
    }

    /// The approximate memory of an unfinished message beside its bytes: zlib's state and a window of 32 KiB.
    package var messageMemory: Int { isInMessage ? 48 << 10 : 0 }

    /// Drops the unfinished message and the history. Nothing may be decompressed after this.
    package mutating func discardMessage() {
        guard isInMessage else { return }
        end()
        if case .takeover = context { context = .asleep([]) }
    }

    private mutating func begin() throws(CompressionError) -> Inflater {
        if !isInMessage {
            isInMessage = true
            hasMoreOutput = false
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
            shared.returnInflater(inflater)
            context = .shared(nil)
        }
    }
}
