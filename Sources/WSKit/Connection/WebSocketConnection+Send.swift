import HTTPKit
public import NIOCore

/// The way out: messages, prepared messages, streams, pings.
extension WebSocketConnection {
    /// Up to this size a frame is copied behind others; above it goes by itself.
    private static let copySize = 4096

    // MARK: Messages

    func send(_ message: Message, compress: Bool) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await Task(executorPreference: loop) { try await self.send(message, compress: compress) }.value
        }
        if isFull || isStreaming { try await waitForRoom() }
        guard trySendOnLoop(message, compress: compress) == .sent else { throw WebSocketClosed(reason: closeReason) }
    }

    func trySend(_ message: Message, compress: Bool) -> SendOutcome {
        guard loop.eventLoop.inEventLoop else {
            onLoop { _ = $0.trySendOnLoop(message, compress: compress) }
            return .sent
        }
        guard !isFull else { return isClosed ? .closed : .full }
        return trySendOnLoop(message, compress: compress)
    }

    private func trySendOnLoop(_ message: Message, compress: Bool) -> SendOutcome {
        guard case .open = phase, machine.isOpen else { return .closed }
        do throws(WSError) {
            try write { (machine, out) throws(WSError) in
                try machine.encode(message, compress: compress, into: &out)
            }
        } catch {
            fail(error)
            return .closed
        }
        loop.statistics.messagesOut &+= 1
        lastMessage = loop.now
        return .sent
    }

    /// Waits until the send buffer has room and no stream is under way.
    private func waitForRoom() async throws {
        flush()
        while isFull || isStreaming {
            guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
            await withUnsafeContinuation { sendWaiters.append($0) }
        }
    }

    func wakeSenders() {
        let waiters = sendWaiters
        sendWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    /// A published message: the same octets for everybody, and no waiting.
    func deliver(_ message: PreparedMessage, policy: SlowClientPolicy) {
        guard case .open = phase, machine.isOpen else { return }
        guard !isFull, !isStreaming else {
            switch policy {
            case .drop: loop.statistics.messagesDropped &+= 1
            case .latestOnly:
                if latestMissed != nil { loop.statistics.messagesDropped &+= 1 }
                latestMissed = message
            case .disconnect(let code):
                loop.statistics.messagesDropped &+= 1
                startClose(code, reason: "messages are not read fast enough")
            }
            return
        }
        do throws(WSError) {
            if machine.role == .server {
                write(try machine.frame(for: message))
            } else {
                try write { (machine, out) throws(WSError) in try machine.encode(message, into: &out) }
            }
            loop.statistics.messagesOut &+= 1
        } catch {
            fail(error)
        }
    }

    func writabilityChanged(_ isWritable: Bool) {
        guard isWritable else {
            isFull = true
            return
        }
        isFull = false
        stalledSince = nil
        if let missed = latestMissed {
            latestMissed = nil
            deliver(missed, policy: .latestOnly)
        }
        wakeSenders()
        if case .callbacks(let handler) = consumer, let socket, case .open = phase { handler.onDrain(socket) }
        process()
        resumeReading()
    }

    // MARK: Streams

    func sendStream(
        _ kind: Message.Kind, compress: Bool, _ body: (MessageWriter) async throws -> Void
    ) async throws {
        try await beginStream(kind, compress: compress)
        do {
            try await body(MessageWriter(connection: self))
        } catch {
            // A message that was begun cannot be taken back (RFC 6455 §5.4): the connection ends with it.
            await close(.internalError, reason: "a message could not be finished")
            throw error
        }
        try await writePart(ByteBuffer(), isFinal: true)
    }

    private func beginStream(_ kind: Message.Kind, compress: Bool) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await Task(executorPreference: loop) {
                try await self.beginStream(kind, compress: compress)
            }.value
        }
        if isFull || isStreaming { try await waitForRoom() }
        guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
        isStreaming = true
        streamKind = kind
        streamCompresses = compress
    }

    func writePart(_ data: ByteBuffer, isFinal: Bool) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await Task(executorPreference: loop) {
                try await self.writePart(data, isFinal: isFinal)
            }.value
        }
        while isFull {
            guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
            flush()
            await withUnsafeContinuation { sendWaiters.append($0) }
        }
        guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
        let (kind, compress) = (streamKind, streamCompresses)
        try write { (machine, out) throws(WSError) in
            try machine.encodePart(kind, data, isFinal: isFinal, compress: compress, into: &out)
        }
        if isFinal {
            loop.statistics.messagesOut &+= 1
            isStreaming = false
            wakeSenders()
        }
    }

    // MARK: Pings

    func ping() async throws -> Duration {
        guard loop.eventLoop.inEventLoop else {
            return try await Task(executorPreference: loop) { try await self.ping() }.value
        }
        guard case .open = phase, machine.isOpen else { throw WebSocketClosed(reason: closeReason) }
        pingCounter += 1
        // The first octet keeps it apart from the pings of the keep-alive.
        let payload = ByteBuffer(bytes: [0x61] + withUnsafeBytes(of: pingCounter.bigEndian, Array.init))
        withOut { machine, out in machine.encodePing(payload, into: &out) }
        let answer = await withUnsafeContinuation { continuation in
            pings.append((payload, .now, continuation))
        }
        guard let answer else { throw WebSocketClosed(reason: closeReason) }
        return answer
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
        let isLarge = buffer.readableBytes > Self.copySize
        out = buffer
        if isLarge { handOver() }
        requestFlush()
    }

    /// Writes a frame that others share: by itself when nothing waits before it.
    private func write(_ frame: ByteBuffer) {
        if out != nil, frame.readableBytes <= Self.copySize {
            out?.writeImmutableBuffer(frame)
        } else {
            handOver()
            loop.statistics.bytesOut &+= frame.readableBytes
            context?.write(wrapOutboundOut(.byteBuffer(frame)), promise: nil)
            needsFlush = true
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
        loop.statistics.bytesOut &+= buffer.readableBytes
        context?.write(wrapOutboundOut(.byteBuffer(buffer)), promise: nil)
        needsFlush = true
        loop.recycle(buffer)
    }

    package func flush() {
        isFlushRequested = false
        endDeferral()
        handOver()
        if needsFlush {
            needsFlush = false
            context?.flush()
        }
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
