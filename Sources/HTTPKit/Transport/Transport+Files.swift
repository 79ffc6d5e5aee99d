import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Sends stretches of files: by sendfile where the channel is the bare socket.
extension Transport {
    /// Whether files go through the channel as bytes, since it encrypts them.
    var copiesFiles: Bool { flags.contains(.isSecure) }

    /// Sends a stretch of a file, and returns when the channel has passed it on.
    ///
    /// - Throws: `FileChangedError` when the file has become shorter; the error of the channel.
    func send(_ slice: FileSlice, offset: Int, count: Int) async throws {
        guard slice.reaches(offset + count) else { throw FileChangedError() }
        let writing = try beginSending(slice, offset: offset, count: count)
        if writing.result == nil {
            sending = slice
            defer { sending = nil }
            await withUnsafeContinuation { writing.waiter = $0 }
        }
        try writing.result?.get()
    }

    private func beginSending(_ slice: FileSlice, offset: Int, count: Int) throws -> RegionWriting {
        guard let context else { throw CancellationError() }
        // The head waits for the content behind it: one segment less.
        let isCorked = out != nil && setCork(true)
        handOver()
        // The handle borrows the descriptor, which the slice's owner closes when the response is done with.
        let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: slice.descriptor)
        let region = FileRegion(fileHandle: handle, readerIndex: offset, endIndex: offset + count)
        let promise = context.eventLoop.makePromise(of: Void.self)
        let writing = RegionWriting()
        promise.futureResult.assumeIsolated().whenComplete { result in
            _ = try? handle.takeDescriptorOwnership()
            writing.end(result)
        }
        self.count(count)
        context.writeAndFlush(NIOAny(IOData.fileRegion(region)), promise: promise)
        flags.remove(.hasUnflushed)
        if isCorked { _ = setCork(false) }
        return writing
    }

    /// Has the system hold back what does not fill a segment, or send it; `false` where it cannot: only TCP on Linux has
    /// the option.
    private func setCork(_ isOn: Bool) -> Bool {
        #if os(Linux)
            guard isTCP, let options = channel?.syncOptions else { return false }
            let cork = ChannelOptions.Types.SocketOption(
                level: .tcp, name: NIOBSDSocket.Option(rawValue: CInt(TCP_CORK)))
            return (try? options.setOption(cork, value: isOn ? 1 : 0)) != nil
        #else
            return false
        #endif
    }

    /// Whether the channel is a TCP connection, which has TCP's options.
    package var isTCP: Bool {
        guard let channel, channel is any SocketOptionProvider else { return false }
        switch channel.localAddress {
        case .v4, .v6: return true
        case .unixDomainSocket, nil: return false
        }
    }

    /// What a file no longer has can never be sent; the channel would try for ever.
    var isFileShort: Bool {
        guard let sending else { return false }
        return !sending.reaches(sending.offset + sending.length)
    }
}

/// How the sending of a stretch is getting on; most are sent before anybody could wait for it.
private final class RegionWriting {
    private(set) var result: Result<Void, any Error>?
    var waiter: UnsafeContinuation<Void, Never>?

    func end(_ result: Result<Void, any Error>) {
        self.result = result
        waiter?.resume()
        waiter = nil
    }
}
