import HTTPKit
import NIOCore

/// Receiving: decoding input, and delivering messages to the application.
extension WebSocketConnection {
    /// Decodes and delivers received bytes, as far as the application can accept messages and the turn allows.
    func process() {
        guard !isProcessing, !isDecodingPaused else { return }
        isProcessing = true
        defer {
            isProcessing = false
            if inbound.readableBytes == 0 { inbound = ByteBuffer() }
            resumeReading()
            finishInput()
        }
        if let turns {
            guard let share = beginShare(turns) else { return }
            decode { share.isSpent }
            endShare(share)
        } else {
            decode { false }
        }
        noteUnfinished()
    }

    /// Decodes received bytes until the application accepts no more messages or `isEnough` returns `true`.
    @inline(__always)
    private func decode(until isEnough: () -> Bool) {
        while case .open = phase, mayReceive, !isDeferred {
            do throws(WSError) {
                guard let event = try machine.next(&inbound, now: now) else { return }
                handle(event)
            } catch {
                fail(error)
            }
            if let out, out.readableBytes > Self.flushThreshold { flush() }
            if isEnough() { return }
        }
    }

    /// Ends the connection when the peer has closed its side and all its bytes have been decoded.
    private func finishInput() {
        guard isInputClosed, !hasUndecoded else { return }
        transportEnded(.lost(.transportClosed))
    }

    private static let flushThreshold = 64 << 10

    private func handle(_ event: WebSocketMachine.Event) {
        switch event {
        case .message(let message):
            lastMessage = loop.now
            loop.countReceivedMessage()
            deliver(MessagePart(kind: message.kind, data: message.payload, isFinal: true))
        case .part(let kind, let data, let isFinal):
            if isFinal { loop.countReceivedMessage() }
            deliver(MessagePart(kind: kind, data: data, isFinal: isFinal))
        case .ping(let payload):
            guard !isFull else {
                makeRareState().pendingPong = payload
                return
            }
            appendOutput { machine, out in machine.encodePong(payload, into: &out) }
        case .pong(let payload):
            receivePong(payload)
        case .close(let reason):
            receiveClose(reason)
        }
    }

    private func deliver(_ part: MessagePart) {
        switch consumer {
        case .task:
            // When the application has stopped reading, messages are dropped.
            guard !inbox.isEnded else { return }
            inbox.push(part)
            if hasReader || !hasWaitedForReader {
                hasWaitedForReader = true
                deferredUntil = loop.now.advanced(byMilliseconds: Self.deferral)
            }
        case .callbacks(let handler):
            guard let socket else { return }
            loop.begin(self)
            handler.onMessage(Message(kind: part.kind, payload: part.data), socket)
        }
    }

    private func receivePong(_ payload: ByteBuffer) {
        guard let rare = rareState, let index = rare.pings.firstIndex(where: { $0.payload == payload }) else {
            return
        }
        // A peer may reply only to the latest of several pings (RFC 6455 §5.5.3).
        let answered = rare.pings[...index]
        rare.pings = Array(rare.pings[(index + 1)...])
        for ping in answered { ping.waiter.resume(returning: ping.sent.duration(to: .now)) }
    }

    /// Returns the next message or part to the application; `nil` at the end.
    func nextPart() async throws -> MessagePart? {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.nextPart() }
        }
        return try await nextPartOnLoop()
    }

    private func nextPartOnLoop() async throws -> MessagePart? {
        hasReader = true
        while true {
            if let part = try takePart() { return part }
            if inbox.isEnded { return nil }
            // Only this connection cancels its serving task, and only after the connection has ended. So that task
            // waits without a cancellation handler, whose frame would cost each idle socket another KiB of stack.
            if isServingTask {
                await withUnsafeContinuation { inbox.wait($0) }
            } else {
                try await waitAsAnyTask()
            }
        }
    }

    /// Returns the next part if one is queued or can be decoded. Returns `nil` if the caller must wait, or if none will come.
    @inline(never)
    private func takePart() throws(ConcurrentReadError) -> MessagePart? {
        while true {
            if let part = inbox.pop() {
                if isReadHeldBack { loop.turn { process() } }
                return part
            }
            if inbox.isEnded { return nil }
            deferredUntil = LoopInstant(milliseconds: 0)
            guard hasUndecoded, !isProcessing, !isDecodingPaused, mayReceive else { break }
            loop.turn { process() }
        }
        guard !inbox.isAwaited else { throw ConcurrentReadError() }
        return nil
    }

    /// Not inlined: the caller's frame must stay small, so that an idle socket's task fits into one slab.
    @inline(never)
    private func waitAsAnyTask() async throws {
        try await waiting { connection, continuation in
            connection.inbox.wait(continuation)
        } cancel: {
            $0.inbox.wakeReader()
        }
    }

    private var isServingTask: Bool {
        servingTask != 0 && withUnsafeCurrentTask { $0?.hashValue == servingTask }
    }

    @inline(__always)
    func nextMessage() async throws -> Message? {
        guard let part = try await nextPart() else { return nil }
        return Message(kind: part.kind, payload: part.data)
    }
}
