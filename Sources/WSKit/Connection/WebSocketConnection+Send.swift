import HTTPKit
public import NIOCore

/// Sending: messages, prepared messages, streams, pings.
extension WebSocketConnection {
    // MARK: Messages

    func send(_ message: Message, compress: Bool) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.send(message, compress: compress) }
        }
        if message.count > CodecTurns.quantum, compress, machine.codecWork != nil {
            await waitForTurn(message.count)
        }
        if isFull || stream != nil { try await waitForRoom() }
        guard trySendOnLoop(message, compress: compress) == .sent else {
            throw WebSocketClosed(reason: closeReason)
        }
    }

    func trySend(_ message: Message, compress: Bool) -> SendOutcome {
        guard loop.eventLoop.inEventLoop else {
            let outcome = gate.reserve(message.count, limit: limits.sendBufferSize)
            guard case .sent = outcome else { return outcome }
            onLoop { connection in
                connection.gate.release(message.count)
                // The message was accepted when there was room, and the accepted bytes are bounded. So it is sent even
                // if the buffer is full now, unless a stream has begun since, which no message may interrupt.
                if connection.stream == nil {
                    _ = connection.trySendOnLoop(message, compress: compress)
                } else {
                    connection.sockets.statistics.messagesDropped &+= 1
                }
            }
            return .sent
        }
        guard !isFull, stream == nil else { return isClosed || !machine.isOpen ? .closed : .full }
        return trySendOnLoop(message, compress: compress)
    }

    private func trySendOnLoop(_ message: Message, compress: Bool) -> SendOutcome {
        guard case .open = phase, machine.isOpen else { return .closed }
        do throws(WSError) {
            if message.count > FrameEncoder.copySize,
                let frame = try machine.reusableFrame(for: message, compress: compress)
            {
                transport.writeShared(frame)
            } else {
                try write { (machine, out) throws(WSError) in
                    try machine.encode(message, compress: compress, into: &out)
                }
            }
        } catch {
            fail(error)
            return .closed
        }
        sockets.statistics.messagesOut &+= 1
        lastMessage = loop.now
        return .sent
    }

    /// Waits until the send buffer has room and no stream is being sent.
    private func waitForRoom() async throws {
        transport.flush()
        while isFull || stream != nil {
            guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
            try await waitForSenders()
        }
    }

    /// Suspends until the waiting senders are resumed.
    private func waitForSenders() async throws {
        try await waiting { connection, continuation in
            connection.transport.add(writer: continuation)
        } cancel: {
            // All senders check again whether there is room, and the cancelled one throws.
            $0.transport.resumeWriters()
        }
    }

    /// Sends a published message, whose bytes are shared with other connections. Never waits.
    ///
    /// - Parameter room: identifies the room. With `.latestOnly`, the newest missed message of each room is kept.
    func sendPublished(_ message: PreparedMessage, policy: SlowClientPolicy, room: ObjectIdentifier) {
        var frames = PreparedFrames(message)
        sendPublished(&frames, policy: policy, room: room)
    }

    /// Sends a published message with the frames that are shared by the sockets of this event loop.
    func sendPublished(_ frames: inout PreparedFrames, policy: SlowClientPolicy, room: ObjectIdentifier) {
        guard case .open = phase, machine.isOpen else { return }
        guard !isFull, stream == nil, !mustHoldBack(policy) else {
            guard case .latestOnly = policy else { return handleMissed(1, policy: policy) }
            let rare = makeRareState()
            if let index = rare.latestMissed.firstIndex(where: { $0.room == room }) {
                sockets.statistics.messagesDropped &+= 1
                rare.latestMissed.remove(at: index)
            }
            rare.latestMissed.append((room, frames.message))
            return
        }
        do throws(WSError) {
            if machine.role == .server {
                transport.writeShared(try machine.frame(for: &frames))
            } else {
                let message = frames.message
                try write { (machine, out) throws(WSError) in try machine.encode(message, into: &out) }
            }
            sockets.statistics.messagesOut &+= 1
        } catch {
            fail(error)
        }
    }

    /// Handles `count` published messages that the connection misses. With `.latestOnly`, the caller then sends the latest.
    func handleMissed(_ count: Int, policy: SlowClientPolicy) {
        guard case .open = phase, machine.isOpen else { return }
        switch policy {
        case .drop: sockets.statistics.messagesDropped &+= count
        case .latestOnly: sockets.statistics.messagesDropped &+= count - 1
        case .disconnect(let code):
            sockets.statistics.messagesDropped &+= count
            startClose(code, reason: "messages are not read fast enough")
        }
    }

    func writabilityChanged() {
        updateGate()
        guard !isFull else { return }
        if let payload = rareState?.pendingPong {
            rareState?.pendingPong = nil
            appendOutput { machine, out in machine.encodePong(payload, into: &out) }
        }
        sendMissed()
        transport.resumeWriters()
        notifyDrain()
        process()
        resumeReading()
    }

    private func notifyDrain() {
        if case .callbacks(let handler) = service.consumer, let socket = application.socket,
            case .open = phase
        {
            loop.begin(self)
            handler.onDrain(socket)
        }
    }

    private func updateGate() { gate.isFull = isFull || stream != nil }

    /// Whether a published message must be held back, so that a newer one can replace it. This is the case with
    /// `.latestOnly` while too many bytes are unsent.
    @inline(__always)
    private func mustHoldBack(_ policy: SlowClientPolicy) -> Bool {
        guard case .latestOnly = policy else { return false }
        return isUnsentLimitReached()
    }

    @inline(never)
    private func isUnsentLimitReached() -> Bool {
        if rareState?.awaitsWrite == true { return true }
        guard transport.unsent + transport.gathered >= max(1, limits.latestOnlyUnsentSize) else {
            return false
        }
        makeRareState().awaitsWrite = true
        transport.whenSent { [self] in
            rareState?.awaitsWrite = false
            if !isFull { sendMissed() }
        }
        return true
    }

    /// Limits the unsent bytes in the kernel while the socket has a `.latestOnly` membership, because they cannot be
    /// replaced by newer messages. Only for TCP on Linux.
    func limitUnsent(_ isLimited: Bool) {
        #if os(Linux)
            let rare = makeRareState()
            rare.latestMemberships += isLimited ? 1 : -1
            guard case .open = phase, rare.latestMemberships == (isLimited ? 1 : 0), transport.isTCP else {
                return
            }
            // 0 restores the system's setting.
            let size = isLimited ? min(max(1, limits.latestOnlyUnsentSize), Int(CInt.max)) : 0
            try? transport.channel?.syncOptions?.setOption(.tcpOption(Self.notSentLowWaterMark), value: size)
        #endif
    }

    /// `TCP_NOTSENT_LOWAT` of Linux.
    private static let notSentLowWaterMark = NIOBSDSocket.Option(rawValue: 25)

    private func sendMissed() {
        guard let missed = rareState?.latestMissed, !missed.isEmpty else { return }
        rareState?.latestMissed = []
        for (room, message) in missed { sendPublished(message, policy: .latestOnly, room: room) }
    }

    // MARK: Streams

    func sendStream(
        _ kind: Message.Kind, compress: Bool, _ body: (MessageWriter) async throws -> Void
    ) async throws {
        try await beginStream(kind, compress: compress)
        do {
            try await body(MessageWriter(connection: self))
            try await writePart(ByteBuffer(), isFinal: true)
        } catch {
            // An unfinished message cannot be abandoned (RFC 6455 §5.4), so the connection must be closed.
            await close(.internalError, reason: "a message could not be completed")
            throw error
        }
    }

    private func beginStream(_ kind: Message.Kind, compress: Bool) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.beginStream(kind, compress: compress) }
        }
        if isFull || stream != nil { try await waitForRoom() }
        guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
        makeRareState().stream = OutgoingStream(kind: kind, compresses: compress)
        updateGate()
    }

    func writePart(_ data: ByteBuffer, isFinal: Bool) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.writePart(data, isFinal: isFinal) }
        }
        if data.readableBytes > CodecTurns.quantum, stream?.compresses == true {
            await waitForTurn(data.readableBytes)
        }
        while isFull {
            guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
            transport.flush()
            // If the transport has accepted everything at once, nothing would resume this writer.
            if isFull { try await waitForSenders() }
        }
        // A `MessageWriter` that is used after its closure must not write.
        guard case .open = phase, machine.isOpen, let stream else {
            throw WebSocketClosed(reason: closeReason)
        }
        try write { (machine, out) throws(WSError) in
            try machine.encodePart(
                stream.kind, data, isFinal: isFinal, compress: stream.compresses, into: &out)
        }
        if isFinal {
            sockets.statistics.messagesOut &+= 1
            rareState?.stream = nil
            updateGate()
            sendMissed()
            transport.resumeWriters()
            if !isFull { notifyDrain() }
        }
    }

    // MARK: Pings

    func ping() async throws -> Duration {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.ping() }
        }
        guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
        let rare = makeRareState()
        rare.pingCounter += 1
        // The first byte distinguishes it from keep-alive pings.
        let payload = ByteBuffer(bytes: [0x61] + withUnsafeBytes(of: rare.pingCounter.bigEndian, Array.init))
        appendOutput { machine, out in machine.encodePing(payload, into: &out) }
        try Task.checkCancellation()
        let elapsed = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                rare.pings.append(Ping(payload: payload, sent: .now, waiter: continuation))
            }
        } onCancel: {
            loop.eventLoop.execute { self.forgetPing(payload) }
        }
        try Task.checkCancellation()
        guard let elapsed else { throw WebSocketClosed(reason: closeReason) }
        return elapsed
    }

    private func forgetPing(_ payload: ByteBuffer) {
        guard let rare = rareState, let index = rare.pings.firstIndex(where: { $0.payload == payload }) else {
            return
        }
        rare.pings.remove(at: index).waiter.resume(returning: nil)
    }

    // MARK: Output

    /// Lets `body` append frames to the output, which is sent at the end of this turn of the event loop.
    func appendOutput(_ body: (inout WebSocketMachine, inout ByteBuffer) -> Void) {
        var buffer = transport.takeOut()
        body(&machine, &buffer)
        transport.putBack(buffer)
    }

    private func write(
        _ body: (inout WebSocketMachine, inout ByteBuffer) throws(WSError) -> Void
    ) throws(WSError) {
        var buffer = transport.takeOut()
        do throws(WSError) {
            try body(&machine, &buffer)
        } catch {
            transport.putBack(buffer)
            throw error
        }
        let isLarge = buffer.readableBytes > Transport.copySize
        transport.putBack(buffer)
        if isLarge { transport.handOver() }
    }
}

/// Writes one message in parts.
public struct MessageWriter: Sendable {
    let connection: WebSocketConnection

    /// Sends a part as a fragment. Suspends while the send buffer is full.
    ///
    /// A part of a text may end within a character, but all parts together must be UTF-8.
    ///
    /// - Throws: `WebSocketClosed`, `CancellationError`.
    public func write(_ data: ByteBuffer) async throws {
        guard data.readableBytes > 0 else { return }
        try await connection.writePart(data, isFinal: false)
    }

    /// Sends text as a fragment.
    public func write(_ text: String) async throws { try await write(ByteBuffer(string: text)) }
}
