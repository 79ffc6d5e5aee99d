package import NIOCore

/// Masking and unmasking, which are the same (RFC 6455 §5.3), and the scan for ASCII: the loads of many octets
/// at a time live in this file only.
package enum Mask {
    /// Appends `octets` to `out`, each combined with its octet of the key, in one pass.
    ///
    /// - Parameters:
    ///   - key: its first octet on the wire is the lowest.
    ///   - phase: how many octets of the payload came before these.
    package static func append(_ octets: RawSpan, key: UInt32, phase: Int, to out: inout ByteBuffer) {
        octets.withUnsafeBytes { source in
            _ = out.writeWithUnsafeMutableBytes(minimumWritableBytes: source.count) { target in
                copy(source, key: key, phase: phase, to: target)
                return source.count
            }
        }
    }

    /// Combines the octets of `buffer` from `start` on with the key, where they are.
    ///
    /// Storage that is shared with another buffer is copied first, as by any change of a `ByteBuffer`.
    package static func apply(key: UInt32, phase: Int, to buffer: inout ByteBuffer, from start: Int = 0) {
        buffer.withUnsafeMutableReadableBytes { octets in
            guard start < octets.count else { return }
            let part = UnsafeMutableRawBufferPointer(rebasing: octets[max(0, start)...])
            copy(UnsafeRawBufferPointer(part), key: key, phase: phase, to: part)
        }
    }

    /// The key as it stands `phase` octets into the payload.
    @inline(__always)
    static func rotated(_ key: UInt32, by phase: Int) -> UInt32 {
        let bits = UInt32(truncatingIfNeeded: phase & 3) &* 8
        return (key &>> bits) | (key &<< ((32 &- bits) & 31))
    }

    /// `target` holds at least as many octets as `source`; they may be the same memory.
    @inline(__always)
    private static func copy(
        _ source: UnsafeRawBufferPointer, key: UInt32, phase: Int, to target: UnsafeMutableRawBufferPointer
    ) {
        guard let from = source.baseAddress, let to = target.baseAddress, target.count >= source.count
        else { return }
        let key = rotated(key, by: phase)
        // The key lies in memory as it does on the wire, whatever the order of the machine's words.
        let word = (UInt64(key) | UInt64(key) << 32).littleEndian
        let wide = SIMD4<UInt64>(repeating: word)
        let count = source.count
        var index = 0
        // Safe: every load and store ends at or before `count`, and they need no alignment.
        while index &+ 64 <= count {
            let low = from.loadUnaligned(fromByteOffset: index, as: SIMD4<UInt64>.self) ^ wide
            let high = from.loadUnaligned(fromByteOffset: index &+ 32, as: SIMD4<UInt64>.self) ^ wide
            to.storeBytes(of: low, toByteOffset: index, as: SIMD4<UInt64>.self)
            to.storeBytes(of: high, toByteOffset: index &+ 32, as: SIMD4<UInt64>.self)
            index &+= 64
        }
        while index &+ 8 <= count {
            let octets = from.loadUnaligned(fromByteOffset: index, as: UInt64.self) ^ word
            to.storeBytes(of: octets, toByteOffset: index, as: UInt64.self)
            index &+= 8
        }
        while index < count {
            let octet = UInt8(truncatingIfNeeded: key &>> (UInt32(truncatingIfNeeded: index & 3) &* 8))
            to.storeBytes(
                of: from.load(fromByteOffset: index, as: UInt8.self) ^ octet, toByteOffset: index,
                as: UInt8.self)
            index &+= 1
        }
    }

    /// The first position at or after `start` where a block of octets is not all ASCII; the octets before it
    /// all are. Single octets at the end may be left for the caller to look at.
    @inline(__always)
    static func endOfASCII(_ octets: RawSpan, from start: Int) -> Int {
        octets.withUnsafeBytes { source in
            guard let base = source.baseAddress, start >= 0 else { return start }
            let high = UInt64(0x8080_8080_8080_8080)
            var index = start
            // Safe: every load ends at or before `count`, and it needs no alignment.
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
    /// The octet at an offset, which is checked.
    @inline(__always)
    func octet(at offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < byteCount)
        // Safe: the offset was checked, and every pattern of bits is an octet.
        return unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }
}
