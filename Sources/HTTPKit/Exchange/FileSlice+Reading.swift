import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension FileSlice {
    /// Reads at most `count` bytes of the slice, from `start` of it on.
    ///
    /// - Throws: `FileChangedError` when the file has become shorter.
    func read(from start: Int, atMost count: Int) throws(FileChangedError) -> ByteBuffer {
        let wanted = min(count, length - start)
        var buffer = ByteBufferAllocator().buffer(capacity: wanted)
        let read = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { bytes in
            max(0, pread(descriptor, bytes.baseAddress, wanted, off_t(offset + start)))
        }
        guard read > 0 else { throw FileChangedError() }
        return buffer
    }
}
