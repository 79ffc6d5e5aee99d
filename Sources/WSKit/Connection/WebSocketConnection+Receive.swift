import HTTPKit
import NIOCore

/// Receiving: decoding input, and delivering messages to the application.
extension WebSocketConnection {
    /// Decodes and delivers received bytes, as far as the application can accept messages and the turn allows.
    func process() {
        guard !input.isProcessing, !input.isDecodingPaused else { return }
        input.isProcessing = true
        defer {
            input.isProcessing = false
            if input.buffer.readableBytes == 0 { input.buffer = ByteBuffer() }
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
                guard let event = try machine.next(&input.buffer, now: now) else { return }
                handle(event)
            } catch {
                fail(error)
            }
            if transport.gathered > Self.flushThreshold { transport.flush() }
            if isEnough() { return }
        }
    }

    /// Ends the connection when the peer has closed its side and all its bytes have been decoded.
    private func finishInput() {
        guard input.isClosed, !hasUndecoded else { return }
        transportEnded(.lost(.transportClosed))
    }

    private static let flushThreshold = 64 << 10

    private func handle(_ event: WebSocketMachine.Event) {
        switch event {
        case .message(let message):
            lastMessage = loop.now
            sockets.statistics.messagesIn &+= 1
            deliver(MessagePart(kind: message.kind, data: message.payload, isFinal: true))
        case .part(let kind, let data, let isFinal):
            if isFinal { sockets.statistics.messagesIn &+= 1 }
            deliver(MessagePart(kind: kind, data: data, isFinal: isFinal))
        case .ping(let payload):
            guard transport.isWritable else {
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
        switch service.consumer {
        case .task:
            // When the application has stopped reading, messages are dropped.
            guard !input.inbox.isEnded else { return }
            input.inbox.push(part)
            if input.hasReader || !input.hasWaitedForReader {
                input.hasWaitedForReader = true
                input.deferredUntil = loop.now.advanced(byMilliseconds: Self.deferral)
            }
        case .callbacks(let handler):
            guard let socket = application.socket else { return }
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
        input.hasReader = true
        while true {
            if let part = try takePart() { return part }
            if input.inbox.isEnded { return nil }
            // Only this connection cancels its serving task, and only after the connection has ended. So that task
            // waits without a cancellation handler, whose frame would cost each idle socket another KiB of stack.
            if isServingTask {
                await withUnsafeContinuation { input.inbox.wait($0) }
            } else {
                try await waitAsAnyTask()
            }
        }
    }

    /// Returns the next part if one is queued or can be decoded. Returns `nil` if the caller must wait, or if none will come.
    @inline(never)
    private func takePart() throws(ConcurrentReadError) -> MessagePart? {
        while true {
            if let part = input.inbox.pop() {
                if input.isReadHeldBack { loop.turn { process() } }
                return part
            }
            if input.inbox.isEnded { return nil }
            input.deferredUntil = LoopInstant(milliseconds: 0)
            guard hasUndecoded, !input.isProcessing, !input.isDecodingPaused, mayReceive else { break }
            loop.turn { process() }
        }
        guard !input.inbox.isAwaited else { throw ConcurrentReadError() }
        return nil
    }

    /// Not inlined: the caller's frame must stay small, so that an idle socket's task fits into one slab.
    @inline(never)
    private func waitAsAnyTask() async throws {
        try await waiting { connection, continuation in
            connection.input.inbox.wait(continuation)
        } cancel: {
            $0.input.inbox.wakeReader()
        }
    }

    private var isServingTask: Bool {
        application.servingTask != 0
            && withUnsafeCurrentTask { $0?.hashValue == application.servingTask }
    }

    @inline(__always)
    func nextMessage() async throws -> Message? {
        guard let part = try await nextPart() else { return nil }
        return Message(kind: part.kind, payload: part.data)
    }
}
