import HTTPKit
import NIOCore

/// The messages of one event loop that have begun and not ended, the oldest first, and the memory that they hold.
///
/// Invariant: touched on its event loop only. The list owns its entries, and they their connections, until they are
/// removed, which the end of a connection does.
final class UnfinishedMessages {
    /// A place in the list; a connection has at most one, and keeps it for its next message.
    final class Entry {
        fileprivate(set) var connection: WebSocketConnection?
        fileprivate var bytes = 0
        fileprivate var next: Entry?
        fileprivate unowned(unsafe) var previous: Entry?
    }

    /// How much memory the messages hold together, about.
    private(set) var bytes = 0
    private var oldest: Entry?
    private var newest: Entry?

    /// Those of a loop.
    static func on(_ loop: LoopContext) -> UnfinishedMessages {
        let key = ObjectIdentifier(UnfinishedMessages.self)
        if let known = loop.extensions[key] as? UnfinishedMessages { return known }
        let made = UnfinishedMessages()
        loop.extensions[key] = made
        return made
    }

    /// Notes how much memory a connection's message holds now.
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

    /// The message has ended.
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

/// How fast a message arrives, as looked at now and then.
struct IncomingPace {
    private let number: UInt32
    /// When it was first seen, moved on by the time in which this end did not read.
    private var began: LoopInstant
    private var looked: LoopInstant
    private let receivedBefore: Int

    /// The first look at a message.
    init(_ progress: MessageAssembler.Progress, at now: LoopInstant) {
        number = progress.number
        began = now
        looked = now
        receivedBefore = progress.received
    }

    /// Looks again.
    ///
    /// - Parameter isHeldBack: this end does not read, or has not looked at all that it has read.
    /// - Returns: the limit that the message does not keep.
    mutating func look(
        _ progress: MessageAssembler.Progress, at now: LoopInstant, isHeldBack: Bool, limits: WSLimits
    ) -> WSError? {
        guard progress.number == number else {
            self = IncomingPace(progress, at: now)
            return nil
        }
        if isHeldBack { began = began.advanced(byMilliseconds: now.milliseconds - looked.milliseconds) }
        looked = now
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

/// Messages under way: their pace, and the memory of all on the loop.
extension WebSocketConnection {
    /// Notes what the message under way holds, or that it has ended.
    @inline(__always)
    func noteUnfinished() {
        if machine.isInMessage || known?.unfinished?.connection != nil { updateUnfinished() }
    }

    @inline(never)
    private func updateUnfinished() {
        let messages = UnfinishedMessages.on(loop)
        guard case .open = phase, let progress = machine.messageUnderWay else {
            if let entry = known?.unfinished { messages.remove(entry) }
            return
        }
        let aside = setAside()
        let entry = aside.unfinished ?? UnfinishedMessages.Entry()
        aside.unfinished = entry
        messages.update(entry, of: self, bytes: progress.heldBytes)
        let limit = limits.maxUnfinishedBytesPerLoop
        if messages.bytes > limit { messages.shrink(to: limit) }
    }

    /// Forgets the message under way at the end of the connection: what it holds is free then, however long somebody
    /// still has the socket.
    func dropUnfinished() {
        machine.discardMessage()
        if let entry = known?.unfinished { UnfinishedMessages.on(loop).remove(entry) }
    }

    /// Which limit the message under way does not keep; nil when all is well.
    func lookAtMessage(_ now: LoopInstant) -> WSError? {
        guard machine.isOpen, let progress = machine.messageUnderWay else {
            known?.incoming = nil
            return nil
        }
        var pace = known?.incoming ?? IncomingPace(progress, at: now)
        let isHeldBack = isReadHeld || isResting || hasUndecoded || !mayReceive
        let error = pace.look(progress, at: now, isHeldBack: isHeldBack, limits: limits)
        setAside().incoming = pace
        return error
    }
}
