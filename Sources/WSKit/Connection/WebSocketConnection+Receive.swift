import HTTPKit
import NIOCore

/// The way in: what the machine makes of the octets, and who gets it.
extension WebSocketConnection {
    /// Hands on what has arrived, as far as the application can take it.
    func process() {
        guard !isProcessing, !isResting else { return }
        isProcessing = true
        defer {
            isProcessing = false
            if inbound.readableBytes == 0 { inbound = ByteBuffer() }
            resumeReading()
            endInput()
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

    /// Decodes what has arrived, as far as the application can take it, until `isEnough`.
    @inline(__always)
    private func decode(until isEnough: () -> Bool) {
        while case .open = phase, mayReceive, !isDeferred {
            do throws(WSError) {
                guard let event = try machine.next(&inbound, now: now) else { return }
                handle(event)
            } catch {
                fail(error)
            }
            if let out, out.readableBytes > Self.handOverSize { flush() }
            if isEnough() { return }
        }
    }

    /// Ends the connection once all of a peer that is gone has been read.
    private func endInput() {
        guard isInputClosed, !hasUndecoded else { return }
        peerIsGone(.lost(.transportClosed))
    }

    private static let handOverSize = 64 << 10

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
                setAside().owedPong = payload
                return
            }
            withOut { machine, out in machine.encodePong(payload, into: &out) }
        case .pong(let payload):
            receivePong(payload)
        case .close(let reason):
            receiveClose(reason)
        }
    }

    private func deliver(_ part: MessagePart) {
        switch consumer {
        case .task:
            // Once the application reads no more, nothing waits for it either.
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
        guard let aside = known, let index = aside.pings.firstIndex(where: { $0.payload == payload }) else {
            return
        }
        // A peer may answer only the newest of several pings (RFC 6455 §5.5.3).
        let answered = aside.pings[...index]
        aside.pings = Array(aside.pings[(index + 1)...])
        for ping in answered { ping.waiter.resume(returning: ping.sent.duration(to: .now)) }
    }

    /// The application's side: the next message or part; `nil` at the end.
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
            // Nobody but this connection cancels the task that serves it, and that after its end only: it waits
            // without a cancellation handler, whose frame would cost each idle socket another KiB of stack.
            if isServingTask {
                await withUnsafeContinuation { inbox.wait($0) }
            } else {
                try await waitAsAnyTask()
            }
        }
    }

    /// The next part, where one is there or can be decoded; `nil` where it has to be waited for, or none will come.
    @inline(never)
    private func takePart() throws(ConcurrentReadError) -> MessagePart? {
        while true {
            if let part = inbox.pop() {
                if isReadHeld { loop.turn { process() } }
                return part
            }
            if inbox.isEnded { return nil }
            deferredUntil = LoopInstant(milliseconds: 0)
            guard hasUndecoded, !isProcessing, !isResting, mayReceive else { break }
            loop.turn { process() }
        }
        guard !inbox.isAwaited else { throw ConcurrentReadError() }
        return nil
    }

    /// Not part of its caller, on whose frame it depends whether an idle socket's task fits into one slab.
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
