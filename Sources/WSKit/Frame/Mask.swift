package import NIOCore

/// Masking and unmasking, which are the same operation (RFC 6455 §5.3), and the scan for ASCII. All loads of several
/// bytes at once are in this file.
package enum Mask {
    /// Appends `bytes` to `out`, masked with `key`, in one pass.
    ///
    /// - Parameters:
    ///   - key: the masking key, with its first byte on the wire in the lowest bits.
    ///   - phase: how many bytes of the payload precede these.
    package static func append(_ bytes: RawSpan, key: UInt32, phase: Int, to out: inout ByteBuffer) {
        bytes.withUnsafeBytes { source in
            _ = out.writeWithUnsafeMutableBytes(minimumWritableBytes: source.count) { target in
                copy(source, key: key, phase: phase, to: target)
                return source.count
            }
        }
    }

    /// Masks the readable bytes of `buffer` from `start` on in place.
    ///
    /// Like any change of a `ByteBuffer`, this first copies storage that is shared with another buffer.
    package static func apply(key: UInt32, phase: Int, to buffer: inout ByteBuffer, from start: Int = 0) {
        buffer.withUnsafeMutableReadableBytes { bytes in
            guard start < bytes.count else { return }
            let part = UnsafeMutableRawBufferPointer(rebasing: bytes[max(0, start)...])
            copy(UnsafeRawBufferPointer(part), key: key, phase: phase, to: part)
        }
    }

    /// The key, rotated for an offset of `phase` bytes into the payload.
    @inline(__always)
    static func rotated(_ key: UInt32, by phase: Int) -> UInt32 {
        let bits = UInt32(truncatingIfNeeded: phase & 3) &* 8
        return (key &>> bits) | (key &<< ((32 &- bits) & 31))
    }

    /// `target` must be at least as large as `source`. They may be the same memory.
    @inline(__always)
    private static func copy(
        _ source: UnsafeRawBufferPointer, key: UInt32, phase: Int, to target: UnsafeMutableRawBufferPointer
    ) {
        guard let from = source.baseAddress, let to = target.baseAddress, target.count >= source.count
        else { return }
        let key = rotated(key, by: phase)
        // The key is in memory as it is on the wire, whatever the machine's byte order is.
        let word = (UInt64(key) | UInt64(key) << 32).littleEndian
        let wide = SIMD4<UInt64>(repeating: word)
        let count = source.count
        var index = 0
        // Safe: every load and store ends at or before `count`, and none needs alignment.
        while index &+ 64 <= count {
            let low = from.loadUnaligned(fromByteOffset: index, as: SIMD4<UInt64>.self) ^ wide
            let high = from.loadUnaligned(fromByteOffset: index &+ 32, as: SIMD4<UInt64>.self) ^ wide
            to.storeBytes(of: low, toByteOffset: index, as: SIMD4<UInt64>.self)
            to.storeBytes(of: high, toByteOffset: index &+ 32, as: SIMD4<UInt64>.self)
            index &+= 64
        }
        while index &+ 8 <= count {
            let bytes = from.loadUnaligned(fromByteOffset: index, as: UInt64.self) ^ word
            to.storeBytes(of: bytes, toByteOffset: index, as: UInt64.self)
            index &+= 8
        }
        while index < count {
            let byte = UInt8(truncatingIfNeeded: key &>> (UInt32(truncatingIfNeeded: index & 3) &* 8))
            to.storeBytes(
                of: from.load(fromByteOffset: index, as: UInt8.self) ^ byte, toByteOffset: index,
                as: UInt8.self)
            index &+= 1
        }
    }

    /// Returns the start of the first block of bytes at or after `start` that is not all ASCII. All bytes between `start`
    /// and the result are ASCII. The last few bytes, too few for a block, are left for the caller.
    @inline(__always)
    static func endOfASCII(_ bytes: RawSpan, from start: Int) -> Int {
        bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress, start >= 0 else { return start }
            let high = UInt64(0x8080_8080_8080_8080)
            var index = start
            // Safe: every load ends at or before `count`, and none needs alignment.
            while index &+ 32 <= source.count {
                let block = base.loadUnaligned(fromByteOffset: index, as: SIMD4<UInt64>.self)
                let merged = block.lowHalf | block.highHalf
                guard (merged.x | merged.y) & high == 0 else { break }
                index &+= 32
            }
            while index &+ 8 <= source.count {
                guard base.loadUnaligned(fromByteOffset: index, as: UInt64.self) & high == 0 else { break }
                index &+= 8
            }
            return index
        }
    }
}

extension RawSpan {
    /// The byte at `offset`. Stops the program if the offset is out of bounds.
    @inline(__always)
    func byte(at offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < byteCount)
        // Safe: the offset was checked, and every bit pattern is a valid `UInt8`.
        return unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }
}
