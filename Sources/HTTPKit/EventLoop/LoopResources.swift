import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The Date line of the responses of one event loop (RFC 9110 §6.6.1), made anew once a second.
struct DateClock {
    private var isGoodUntil = LoopInstant(milliseconds: .min)
    private var line = DateLine(secondsSinceEpoch: 0)

    mutating func line(at now: LoopInstant) -> DateLine {
        if now >= isGoodUntil {
            var time = timespec()
            #if os(Linux)
                clock_gettime(CLOCK_REALTIME_COARSE, &time)
            #else
                clock_gettime(CLOCK_REALTIME, &time)
            #endif
            line = DateLine(secondsSinceEpoch: Int64(time.tv_sec))
            isGoodUntil = now.advanced(byMilliseconds: 1000 - Int64(time.tv_nsec) / 1_000_000)
        }
        return line
    }
}

/// Buffers that writes gather in, used again and again.
struct BufferPool {
    private var spare: [ByteBuffer] = []

    private static let maxCount = 8
    private static let initialCapacity = 4096
    private static let maxCapacity = 64 << 10

    mutating func take() -> ByteBuffer {
        if var buffer = spare.popLast() {
            buffer.clear()
            return buffer
        }
        return ByteBufferAllocator().buffer(capacity: Self.initialCapacity)
    }

    /// Keeps a buffer that has been handed to a channel, unless it has grown large.
    mutating func giveBack(_ buffer: consuming ByteBuffer) {
        if spare.count < Self.maxCount, buffer.capacity <= Self.maxCapacity { spare.append(buffer) }
    }
}
