import HTTPKit
public import NIOCore

/// The way out: messages, prepared messages, streams, pings.
extension WebSocketConnection {
    // MARK: Messages

    func send(_ message: Message, compress: Bool) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.send(message, compress: compress) }
        }
        if message.count > CodecTurns.quantum, compress, machine.codecWork != nil {
            await waitForTurn(message.count)
        }
        if isFull || isStreaming { try await waitForRoom() }
        guard trySendOnLoop(message, compress: compress) == .sent else {
            throw WebSocketClosed(reason: closeReason)
        }
    }

    func trySend(_ message: Message, compress: Bool) -> SendOutcome {
        guard loop.eventLoop.inEventLoop else {
            let outcome = gate.enter(message.count, limit: limits.sendBufferSize)
            guard case .sent = outcome else { return outcome }
            onLoop { connection in
                connection.gate.leave(message.count)
                // It was taken when there was room, and what was taken is bounded: so it is sent, unless a stream
                // has begun since, which nothing may interrupt.
                if !connection.isStreaming {
                    _ = connection.trySendOnLoop(message, compress: compress)
                } else {
                    connection.loop.statistics.messagesDropped &+= 1
                }
            }
            return .sent
        }
        guard !isFull, !isStreaming else { return isClosed || !machine.isOpen ? .closed : .full }
        return trySendOnLoop(message, compress: compress)
    }

    private func trySendOnLoop(_ message: Message, compress: Bool) -> SendOutcome {
        guard case .open = phase, machine.isOpen else { return .closed }
        do throws(WSError) {
            if message.count > FrameEncoder.copySize,
                let frame = try machine.frame(standingBefore: message, compress: compress)
            {
                write(frame)
            } else {
                try write { (machine, out) throws(WSError) in
                    try machine.encode(message, compress: compress, into: &out)
                }
            }
        } catch {
            fail(error)
            return .closed
        }
        loop.countSentMessage()
        lastMessage = loop.now
        return .sent
    }

    /// Waits until the send buffer has room and no stream is under way.
    private func waitForRoom() async throws {
        flush()
        while isFull || isStreaming {
            guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
            try await waitForSenders()
        }
    }

    /// Suspends until the senders are woken.
    private func waitForSenders() async throws {
        try await waiting { connection, continuation in
            connection.sendWaiters.append(continuation)
        } cancel: {
            // All look again whether there is room, and the cancelled one gives up.
            $0.wakeSenders()
        }
    }

    func wakeSenders() {
        let waiters = sendWaiters
        sendWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    /// A published message: the same octets for everybody, and no waiting.
    ///
    /// - Parameter room: whose message it is: of each room the newest missed one is kept, where that is wanted.
    func deliver(_ message: PreparedMessage, policy: SlowClientPolicy, room: ObjectIdentifier) {
        var frames = PreparedFrames(message)
        deliver(&frames, policy: policy, room: room)
    }

    /// The same, with the frames that other sockets of this loop have used.
    func deliver(_ frames: inout PreparedFrames, policy: SlowClientPolicy, room: ObjectIdentifier) {
        guard case .open = phase, machine.isOpen else { return }
        guard !isFull, !isStreaming, !mustWaitForTaking(policy) else {
            guard case .latestOnly = policy else { return miss(1, policy: policy) }
            let aside = setAside()
            if let index = aside.latestMissed.firstIndex(where: { $0.room == room }) {
                loop.statistics.messagesDropped &+= 1
                aside.latestMissed.remove(at: index)
            }
            aside.latestMissed.append((room, frames.message))
            return
        }
        do throws(WSError) {
            if machine.role == .server {
                write(try machine.frame(for: &frames))
            } else {
                let message = frames.message
                try write { (machine, out) throws(WSError) in try machine.encode(message, into: &out) }
            }
            loop.countSentMessage()
        } catch {
            fail(error)
        }
    }

    /// So many published messages cannot come; of a policy that wants the latest, the caller brings that.
    func miss(_ count: Int, policy: SlowClientPolicy) {
        guard case .open = phase, machine.isOpen else { return }
        switch policy {
        case .drop: loop.statistics.messagesDropped &+= count
        case .latestOnly: loop.statistics.messagesDropped &+= count - 1
        case .disconnect(let code):
            loop.statistics.messagesDropped &+= count
            startClose(code, reason: "messages are not read fast enough")
        }
    }

    func writabilityChanged(_ isWritable: Bool) {
        guard isWritable else {
            isFull = true
            updateGate()
            return
        }
        isFull = false
        updateGate()
        known?.stall = nil
        if let payload = known?.owedPong {
            known?.owedPong = nil
            withOut { machine, out in machine.encodePong(payload, into: &out) }
        }
        deliverMissed()
        wakeSenders()
        tellOfRoom()
        process()
        resumeReading()
    }

    private func tellOfRoom() {
        if case .callbacks(let handler) = consumer, let socket, case .open = phase {
            loop.begin(self)
            handler.onDrain(socket)
        }
    }

    private func updateGate() { gate.isFull = isFull || isStreaming }

    /// Whether so much waits unsent that a newer message may still take the place of this one, if that is wanted.
    @inline(__always)
    private func mustWaitForTaking(_ policy: SlowClientPolicy) -> Bool {
        guard case .latestOnly = policy else { return false }
        return isTakingAwaited()
    }

    @inline(never)
    private func isTakingAwaited() -> Bool {
        if known?.awaitsTaking == true { return true }
        guard let context,
            let waiting = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes),
            waiting + (out?.readableBytes ?? 0) >= max(1, limits.latestOnlyUnsentSize)
        else { return false }
        setAside().awaitsTaking = true
        handOver()
        // A write without bytes is done once all before it are taken.
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { [self] _ in
            loop.turn {
                known?.awaitsTaking = false
                if !isFull { deliverMissed() }
            }
        }
        context.write(wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: promise)
        needsFlush = true
        requestFlush()
        return true
    }

    /// Keeps what the kernel has not sent small while a room wants the latest message only: what is there cannot be taken
    /// back. TCP on Linux.
    func limitUnsent(_ isLimited: Bool) {
        #if os(Linux)
            let aside = setAside()
            aside.latestMemberships += isLimited ? 1 : -1
            guard case .open = phase, aside.latestMemberships == (isLimited ? 1 : 0),
                let channel = context?.channel
            else { return }
            switch channel.localAddress {
            case .v4, .v6: break
            case .unixDomainSocket, nil: return
            }
            // 0 gives the system's setting back.
            let size = isLimited ? min(max(1, limits.latestOnlyUnsentSize), Int(CInt.max)) : 0
            try? channel.syncOptions?.setOption(.tcpOption(Self.notSentLowWaterMark), value: size)
        #endif
    }

    /// `TCP_NOTSENT_LOWAT` of Linux.
    private static let notSentLowWaterMark = NIOBSDSocket.Option(rawValue: 25)

    private func deliverMissed() {
        guard let missed = known?.latestMissed, !missed.isEmpty else { return }
        known?.latestMissed = []
        for (room, message) in missed { deliver(message, policy: .latestOnly, room: room) }
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
            // A message that was begun cannot be taken back (RFC 6455 §5.4): the connection ends with it.
            await close(.internalError, reason: "a message could not be finished")
            throw error
        }
    }

    private func beginStream(_ kind: Message.Kind, compress: Bool) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.beginStream(kind, compress: compress) }
        }
        if isFull || isStreaming { try await waitForRoom() }
        guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
        isStreaming = true
        updateGate()
        streamKind = kind
        streamCompresses = compress
    }

    func writePart(_ data: ByteBuffer, isFinal: Bool) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.writePart(data, isFinal: isFinal) }
        }
        if data.readableBytes > CodecTurns.quantum, streamCompresses { await waitForTurn(data.readableBytes) }
        while isFull {
            guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
            flush()
            // The transport may have taken all of it at once: then nobody would wake this writer.
            if isFull { try await waitForSenders() }
        }
        // A writer that outlives its stream writes nothing.
        guard case .open = phase, machine.isOpen, isStreaming else {
            throw WebSocketClosed(reason: closeReason)
        }
        let (kind, compress) = (streamKind, streamCompresses)
        try write { (machine, out) throws(WSError) in
            try machine.encodePart(kind, data, isFinal: isFinal, compress: compress, into: &out)
        }
        if isFinal {
            loop.countSentMessage()
            isStreaming = false
            updateGate()
            deliverMissed()
            wakeSenders()
            if !isFull { tellOfRoom() }
        }
    }

    // MARK: Pings

    func ping() async throws -> Duration {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.ping() }
        }
        guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
        let aside = setAside()
        aside.pingCounter += 1
        // The first octet keeps it apart from the pings of the keep-alive.
        let payload = ByteBuffer(bytes: [0x61] + withUnsafeBytes(of: aside.pingCounter.bigEndian, Array.init))
        withOut { machine, out in machine.encodePing(payload, into: &out) }
        try Task.checkCancellation()
        let answer = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                aside.pings.append(Ping(payload: payload, sent: .now, waiter: continuation))
            }
        } onCancel: {
            loop.eventLoop.execute { self.forgetPing(payload) }
        }
        try Task.checkCancellation()
        guard let answer else { throw WebSocketClosed(reason: closeReason) }
        return answer
    }

    private func forgetPing(_ payload: ByteBuffer) {
        guard let aside = known, let index = aside.pings.firstIndex(where: { $0.payload == payload }) else {
            return
        }
        aside.pings.remove(at: index).waiter.resume(returning: nil)
    }

    // MARK: The buffer

    /// Has `body` append frames to what is sent at the end of this turn.
    func withOut(_ body: (inout WebSocketMachine, inout ByteBuffer) -> Void) {
        var buffer = out ?? loop.takeBuffer()
        out = nil
        body(&machine, &buffer)
        out = buffer
        requestFlush()
    }

    private func write(
        _ body: (inout WebSocketMachine, inout ByteBuffer) throws(WSError) -> Void
    ) throws(WSError) {
        var buffer = out ?? loop.takeBuffer()
        out = nil
        do throws(WSError) {
            try body(&machine, &buffer)
        } catch {
            out = buffer
            throw error
        }
        let isLarge = buffer.readableBytes > FrameEncoder.copySize
        out = buffer
        if isLarge { handOver() }
        requestFlush()
    }

    /// Writes a frame that others share: by itself when nothing waits before it.
    private func write(_ frame: ByteBuffer) {
        if frame.readableBytes <= FrameEncoder.copySize, out != nil || isBacklogged {
            withOut { _, out in out.writeImmutableBuffer(frame) }
            if let out, out.readableBytes > FrameEncoder.copySize { handOver() }
        } else {
            handOver()
            give(frame)
        }
        requestFlush()
    }

    func requestFlush() {
        guard !isFlushRequested else { return }
        isFlushRequested = true
        loop.flushLater(self)
    }

    private func handOver() {
        guard let buffer = out else { return }
        out = nil
        give(buffer)
        loop.recycle(buffer)
    }

    private func give(_ buffer: ByteBuffer) {
        count(buffer.readableBytes)
        context?.write(wrapOutboundOut(.byteBuffer(buffer)), promise: backlogPromise())
        needsFlush = true
    }

    private func count(_ octets: Int) {
        loop.countSent(octets: octets)
        given &+= UInt32(truncatingIfNeeded: octets)
    }

    /// How many writes there are between two looks at whether the peer takes them.
    private static let writesPerLook: UInt8 = 32

    /// The transport keeps a buffer for each write that the peer has not taken, however few octets are in it, and its
    /// bound counts the octets. So while one of these promises waits, small frames are gathered here.
    private func backlogPromise() -> EventLoopPromise<Void>? {
        writes &+= 1
        guard writes % Self.writesPerLook == 0, !isBacklogged, let context else { return nil }
        isBacklogged = true
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { _ in
            self.isBacklogged = false
            if self.out != nil, !self.isClosed { self.requestFlush() }
        }
        return promise
    }

    /// A few octets wait behind what the peer has not taken; at the end nothing does.
    private var isGathering: Bool {
        guard isBacklogged, !needsFlush, !isClosed, machine.isOpen, let out else { return false }
        return out.readableBytes <= FrameEncoder.copySize
    }

    package func flush() {
        isFlushRequested = false
        guard !isGathering, let buffer = out else {
            if needsFlush {
                needsFlush = false
                context?.flush()
            }
            return
        }
        out = nil
        needsFlush = false
        count(buffer.readableBytes)
        context?.writeAndFlush(wrapOutboundOut(.byteBuffer(buffer)), promise: backlogPromise())
        loop.recycle(buffer)
    }
}

/// Writes one message piece by piece.
public struct MessageWriter: Sendable {
    let connection: WebSocketConnection

    /// Sends a piece as a fragment; suspended while the send buffer is full.
    ///
    /// The pieces of a text need not end at characters, but together they must be UTF-8.
    ///
    /// - Throws: `WebSocketClosed`.
    public func write(_ data: ByteBuffer) async throws {
        guard data.readableBytes > 0 else { return }
        try await connection.writePart(data, isFinal: false)
    }

    /// Sends text as a fragment.
    public func write(_ text: String) async throws { try await write(ByteBuffer(string: text)) }
}
