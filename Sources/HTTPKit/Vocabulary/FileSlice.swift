#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A stretch of an open file, which stays open as long as this value lives.
package struct FileSlice: Sendable {
    /// Keeps the descriptor open.
    package let owner: any AnyObject & Sendable
    package let descriptor: CInt
    package let offset: Int
    package let length: Int

    package init(owner: any AnyObject & Sendable, descriptor: CInt, offset: Int, length: Int) {
        self.owner = owner
        self.descriptor = descriptor
        self.offset = offset
        self.length = length
    }

    /// Whether the file still has a byte before `end`, so that it can be sent up to there.
    package func reaches(_ end: Int) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && Int(status.st_size) >= end
    }
}

/// A file became shorter than its announced length while it was sent.
package struct FileChangedError: Error, CustomStringConvertible {
    package init() {}
    package var description: String { "the file became shorter while it was sent" }
}
