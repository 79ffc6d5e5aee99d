import HTTPKit
import NIOCore

/// The unfinished received messages of one event loop, oldest first, and the memory that they hold.
///
/// Invariant: accessed on its event loop only. The list owns its entries, and each entry owns its connection, until the
/// entry is removed. A connection removes its entry when it ends.
final class UnfinishedMessages {
    /// An entry of the list. A connection has at most one, and reuses it for its next message.
    final class Entry {
        fileprivate(set) var connection: WebSocketConnection?
        fileprivate var bytes = 0
        fileprivate var next: Entry?
        fileprivate unowned(unsafe) var previous: Entry?
    }

    /// The approximate memory of all messages in bytes.
    private(set) var bytes = 0
    private var oldest: Entry?
    private var newest: Entry?

    /// Records how much memory a connection's message holds now.
    func update(_ entry: Entry, of connection: WebSocketConnection, bytes: Int) {
        if entry.connection == nil { append(entry, connection) }
        self.bytes += bytes - entry.bytes
        entry.bytes = bytes
    }

    private func append(_ entry: Entry, _ connection: WebSocketConnection) {
        entry.connection = connection
        entry.previous = newest
        if let newest { newest.next = entry } else { oldest = entry }
        newest = entry
    }

    /// Removes a message that has ended.
    func remove(_ entry: Entry) {
        guard entry.connection != nil else { return }
        let (previous, next) = (entry.previous, entry.next)
        if let previous { previous.next = next } else { oldest = next }
        if let next { next.previous = previous } else { newest = previous }
        entry.connection = nil
        entry.previous = nil
        entry.next = nil
        bytes -= entry.bytes
        entry.bytes = 0
    }

    /// Closes the connections of the oldest messages until the others hold at most `limit` bytes.
    func shrink(to limit: Int) {
        while bytes > limit, let entry = oldest, let connection = entry.connection {
            remove(entry)
            connection.fail(.tooMuchUnfinished(limit: limit))
        }
    }
}

/// How fast a message arrives. It is checked at every tick.
struct IncomingPace {
    private let number: UInt32
    /// When the message was first seen, plus the time in which this end did not read.
    private var began: LoopInstant
    private var lastChecked: LoopInstant
    private let receivedBefore: Int

    /// Starts with a message that is seen for the first time.
    init(_ progress: MessageAssembler.Progress, at now: LoopInstant) {
        number = progress.number
        began = now
        lastChecked = now
        receivedBefore = progress.received
    }

    /// Checks the message against the limits.
    ///
    /// - Parameter isHeldBack: whether this end does not read, or has not decoded everything that it has read.
    /// - Returns: the limit that the message violates; `nil` if none.
    mutating func check(
        _ progress: MessageAssembler.Progress, at now: LoopInstant, isHeldBack: Bool, limits: WSLimits
    ) -> WSError? {
        guard progress.number == number else {
            self = IncomingPace(progress, at: now)
            return nil
        }
        if isHeldBack { began = began.advanced(byMilliseconds: now.milliseconds - lastChecked.milliseconds) }
        lastChecked = now
        if let timeout = limits.messageTimeout, !progress.isInParts, now >= began.advanced(by: timeout) {
            return .messageTimeout
        }
        let measured = now.milliseconds - began.advanced(by: limits.messageRateGracePeriod).milliseconds
        guard limits.minMessageRate > 0, measured > 0 else { return nil }
        let (due, overflow) = limits.minMessageRate.multipliedReportingOverflow(by: Int(measured))
        guard overflow || progress.received - receivedBefore < due / 1000 else { return nil }
        return .messageTooSlow(rate: limits.minMessageRate)
    }
}

/// Limits for unfinished messages: their rate, and the memory of all of them on the event loop.
extension WebSocketConnection {
    /// Records the memory of the unfinished message, or that the message has ended.
    @inline(__always)
    func noteUnfinished() {
        if machine.isInMessage || rareState?.unfinished?.connection != nil { updateUnfinished() }
    }

    @inline(never)
    private func updateUnfinished() {
        let messages = sockets.unfinished
        guard case .open = phase, let progress = machine.messageUnderWay else {
            if let entry = rareState?.unfinished { messages.remove(entry) }
            return
        }
        let rare = makeRareState()
        let entry = rare.unfinished ?? UnfinishedMessages.Entry()
        rare.unfinished = entry
        messages.update(entry, of: self, bytes: progress.heldBytes)
        let limit = limits.maxUnfinishedBytesPerLoop
        if messages.bytes > limit { messages.shrink(to: limit) }
    }

    /// Drops the unfinished message when the connection ends. This frees its memory even if the application keeps the
    /// socket.
    func dropUnfinished() {
        machine.discardMessage()
        if let entry = rareState?.unfinished { sockets.unfinished.remove(entry) }
    }

    /// Checks the rate and the duration of the unfinished message. Returns the violated limit, or `nil`.
    func checkMessagePace(_ now: LoopInstant) -> WSError? {
        guard machine.isOpen, let progress = machine.messageUnderWay else {
            rareState?.incoming = nil
            return nil
        }
        var pace = rareState?.incoming ?? IncomingPace(progress, at: now)
        let isHeldBack = input.isReadHeldBack || input.isDecodingPaused || hasUndecoded || !mayReceive
        let error = pace.check(progress, at: now, isHeldBack: isHeldBack, limits: limits)
        makeRareState().incoming = pace
        return error
    }
}
