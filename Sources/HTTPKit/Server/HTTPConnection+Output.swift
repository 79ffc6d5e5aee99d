import NIOCore

/// What gathers until the end of the turn, and goes to the transport as one write.
extension HTTPConnection {
    /// Appends to what is sent at the end of this turn.
    func withOut(_ body: (inout ByteBuffer) -> Void) {
        var buffer = out ?? loop.takeBuffer()
        out = nil
        body(&buffer)
        out = buffer
        requestFlush()
    }

    private func requestFlush() {
        guard !isFlushRequested else { return }
        isFlushRequested = true
        loop.flushLater(self)
    }

    /// Small content is copied behind its head; large content goes as it is.
    func write(_ buffer: ByteBuffer) {
        if buffer.readableBytes <= 4096 {
            withOut { $0.writeImmutableBuffer(buffer) }
        } else {
            handOver()
            countOut(buffer.readableBytes)
            context?.write(wrapOutboundOut(.byteBuffer(buffer)), promise: nil)
            needsFlush = true
            requestFlush()
        }
    }

    /// Gives what has gathered to the channel, without a flush.
    func handOver() {
        guard let buffer = out else { return }
        out = nil
        countOut(buffer.readableBytes)
        context?.write(wrapOutboundOut(.byteBuffer(buffer)), promise: nil)
        needsFlush = true
        loop.recycle(buffer)
    }

    func countOut(_ octets: Int) {
        loop.statistics.bytesOut &+= octets
        writeProgress.handedOver &+= octets
    }

    func flush() {
        isFlushRequested = false
        guard let buffer = out else {
            if needsFlush {
                needsFlush = false
                context?.flush()
            }
            return
        }
        out = nil
        needsFlush = false
        countOut(buffer.readableBytes)
        context?.writeAndFlush(wrapOutboundOut(.byteBuffer(buffer)), promise: nil)
        loop.recycle(buffer)
    }
}
