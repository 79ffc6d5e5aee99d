import HTTPTypes
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Sends stretches of files: by sendfile where the transport is the bare socket, through a buffer under TLS.
extension HTTPConnection {
    private static let sendfileStretch = 1 << 20
    private static let copyStretch = 64 << 10

    func write(_ part: ResponseBody.Part, exchange: UInt64) async throws {
        switch part {
        case .bytes(let buffer): try await writeBody(buffer, exchange: exchange)
        case .file(let slice):
            try openAnswer(exchange: exchange)
            if server.isSecure {
                try await copyFile(slice, exchange: exchange)
            } else {
                try await sendFile(slice, exchange: exchange)
            }
        }
    }

    private func sendFile(_ slice: FileSlice, exchange: UInt64) async throws {
        var sent = 0
        while sent < slice.length {
            let count = min(Self.sendfileStretch, slice.length - sent)
            try checkSize(slice, reaching: slice.offset + sent + count)
            let writing = try writeRegion(
                slice, offset: slice.offset + sent, count: count, exchange: exchange)
            if writing.result == nil {
                sending = slice
                defer { sending = nil }
                await withUnsafeContinuation { writing.waiter = $0 }
            }
            try writing.result?.get()
            sent += count
            if sent < slice.length, loop.spend(octets: count) { await passTurn() }
        }
    }

    private func writeRegion(
        _ slice: FileSlice, offset: Int, count: Int, exchange: UInt64
    ) throws -> RegionWriting {
        try takeFromAnnounced(count, exchange: exchange)
        guard let context else { throw CancellationError() }
        // The head waits for the content behind it: one segment less.
        let isCorked = out != nil && setCork(true)
        handOver()
        // The handle borrows the descriptor, which the slice's owner closes when the answer is done with.
        let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: slice.descriptor)
        let region = FileRegion(fileHandle: handle, readerIndex: offset, endIndex: offset + count)
        let promise = context.eventLoop.makePromise(of: Void.self)
        let writing = RegionWriting()
        promise.futureResult.assumeIsolated().whenComplete { result in
            _ = try? handle.takeDescriptorOwnership()
            writing.end(result)
        }
        countOut(count)
        context.writeAndFlush(wrapOutboundOut(.fileRegion(region)), promise: promise)
        needsFlush = false
        if isCorked { _ = setCork(false) }
        return writing
    }

    /// Has the system hold back what does not fill a segment, or send it; `false` where it cannot.
    private func setCork(_ isOn: Bool) -> Bool {
        #if os(Linux)
            guard let options = context?.channel.syncOptions else { return false }
            let cork = ChannelOptions.Types.SocketOption(
                level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_CORK))
            return (try? options.setOption(cork, value: isOn ? 1 : 0)) != nil
        #else
            return false
        #endif
    }

    private func copyFile(_ slice: FileSlice, exchange: UInt64) async throws {
        var sent = 0
        while sent < slice.length {
            let count = min(Self.copyStretch, slice.length - sent)
            var buffer = ByteBufferAllocator().buffer(capacity: count)
            let read = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
                max(0, pread(slice.descriptor, bytes.baseAddress, count, off_t(slice.offset + sent)))
            }
            guard read > 0 else { throw FileChangedError() }
            sent += read
            try await writeBody(buffer, exchange: exchange)
        }
    }

    /// A file that has shrunk cannot be sent as it was announced: the connection is broken off instead of filled up.
    private func checkSize(_ slice: FileSlice, reaching end: Int) throws {
        guard slice.reaches(end) else { throw FileChangedError() }
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

extension FileSlice {
    /// Whether the file is still that long.
    func reaches(_ end: Int) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && Int(status.st_size) >= end
    }
}

/// A file became shorter than its announced length while it was sent.
struct FileChangedError: Error, CustomStringConvertible {
    var description: String { "the file became shorter while it was sent" }
}
