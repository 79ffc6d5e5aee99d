import NIOCore
import NIOPosix
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Threads for blocking calls, so that they do not take threads from the tested code.
private let threads: NIOThreadPool = {
    let pool = NIOThreadPool(numberOfThreads: 16)
    pool.start()
    return pool
}()

/// A TCP socket on a port of 127.0.0.1 that does only what the test says, for servers that misbehave.
final class BareSocket: Sendable {
    let descriptor: CInt

    /// Binds a port, on which nobody listens yet.
    init() throws {
        descriptor = try Self.make()
        let descriptor = descriptor
        let isBound = Self.withAddress(port: 0) { bind(descriptor, $0, $1) } == 0
        try #require(isBound)
        // The receive timeout also applies to accepting.
        Self.setReceiveTimeout(descriptor)
    }

    private init(descriptor: CInt) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    var port: Int {
        // As large as any address. Family and port, in network byte order, come first.
        var address = [UInt8](repeating: 0, count: 128)
        var length = socklen_t(address.count)
        _ = address.withUnsafeMutableBytes { bytes in
            getsockname(descriptor, bytes.bindMemory(to: sockaddr.self).baseAddress, &length)
        }
        return Int(address[2]) << 8 | Int(address[3])
    }

    /// Listens, with a backlog of that many connections.
    func listen(backlog: CInt) throws {
        try #require(listenOn(descriptor, backlog) == 0)
    }

    /// The next connection.
    func accept() async throws -> BareSocket {
        let descriptor = descriptor
        let accepted = try await threads.runIfActive { acceptOn(descriptor) }
        try #require(accepted >= 0)
        Self.setReceiveTimeout(accepted)
        return BareSocket(descriptor: accepted)
    }

    /// Begins to connect to a port, without waiting.
    static func connecting(to port: Int) throws -> BareSocket {
        let socket = BareSocket(descriptor: try make())
        _ = fcntl(socket.descriptor, F_SETFL, O_NONBLOCK)
        let result = withAddress(port: port) { connect(socket.descriptor, $0, $1) }
        try #require(result == 0 || errno == EINPROGRESS)
        return socket
    }

    /// Connects to a port of this machine, which does not block for long.
    static func connected(to port: Int) throws -> BareSocket {
        let socket = BareSocket(descriptor: try make())
        let isConnected = withAddress(port: port) { connect(socket.descriptor, $0, $1) } == 0
        try #require(isConnected)
        setReceiveTimeout(socket.descriptor)
        return socket
    }

    /// The received text up to the empty line; `nil` if the peer has closed.
    func receiveHead() async throws -> String? {
        var text = ""
        while !text.contains("\r\n\r\n") {
            guard let bytes = try await receive() else { return nil }
            text += String(decoding: bytes, as: UTF8.self)
        }
        return text
    }

    /// Returns when the peer has closed. Ignores what it sends before.
    func receiveEnd() async throws {
        while try await receive() != nil {}
    }

    /// The next received bytes; `nil` if the peer has closed.
    func receive(atMost size: Int = 4096) async throws -> [UInt8]? {
        let descriptor = descriptor
        return try await threads.runIfActive {
            var buffer = [UInt8](repeating: 0, count: size)
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            return count > 0 ? Array(buffer[..<count]) : nil
        }
    }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }

    /// Sends the bytes repeatedly until that many were sent or the peer has closed. Blocks a thread of its own.
    func flood(_ bytes: [UInt8], upTo total: Int) async throws -> Int {
        let descriptor = descriptor
        return try await threads.runIfActive {
            var sent = 0
            while sent < total {
                let count = bytes.withUnsafeBytes { sendQuietly(descriptor, $0.baseAddress, $0.count) }
                guard count == bytes.count else { break }
                sent += count
            }
            return sent
        }
    }

    private static func make() throws -> CInt {
        #if canImport(Glibc)
            let made = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        #else
            let made = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        try #require(made >= 0)
        return made
    }

    /// The receive timeout. After it, a receive ends as if the peer had closed.
    private static func setReceiveTimeout(_ descriptor: CInt) {
        var timeout = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    private static func withAddress(port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
        guard let address = try? SocketAddress(ipAddress: "127.0.0.1", port: port) else { return -1 }
        return address.withSockAddr { body($0, socklen_t($1)) }
    }
}

/// Sends without the signal that a closed peer causes.
private func sendQuietly(_ descriptor: CInt, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    #if os(Linux)
        send(descriptor, bytes, count, CInt(MSG_NOSIGNAL))
    #else
        send(descriptor, bytes, count, 0)
    #endif
}

#if os(Linux)
    /// How many open sockets are connected, or connecting, to `port`. The system's table may change
    /// while it is read, so call this repeatedly until the number is as expected.
    func descriptors(to port: Int) -> Int {
        guard let file = fopen("/proc/self/net/tcp", "r") else { return -1 }
        defer { fclose(file) }
        let wanted = ":" + hexadecimal(port)
        var line = [CChar](repeating: 0, count: 512)
        var inodes: Set<Substring> = []
        while fgets(&line, CInt(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
            // sl, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode.
            let columns = text.split(separator: " ")
            if columns.count > 9, columns[2].hasSuffix(wanted), columns[9] != "0" {
                inodes.insert(columns[9])
            }
        }
        return inodes.count
    }

    private func hexadecimal(_ port: Int) -> String {
        let digits = String(port, radix: 16, uppercase: true)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
#endif

/// Returns when `condition` holds.
///
/// - Throws: if it does not hold within a minute.
func waitUntil(_ condition: () async throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation)
    async throws
{
    let deadline = ContinuousClock.now.advanced(by: .seconds(300))
    while try await !condition() {
        try #require(ContinuousClock.now < deadline, "it never came to that", sourceLocation: sourceLocation)
        await Task.yield()
    }
}

// The C library's functions by other names, since the socket has methods of theirs.
private func listenOn(_ descriptor: CInt, _ backlog: CInt) -> CInt { listen(descriptor, backlog) }
private func acceptOn(_ descriptor: CInt) -> CInt { accept(descriptor, nil, nil) }
