import HTTPTypes
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import HTTPKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Threads for the clients' blocking calls, so that they take none from what is tested.
private let threads: NIOThreadPool = {
    let pool = NIOThreadPool(numberOfThreads: 16)
    pool.start()
    return pool
}()

/// A server on a free port, with two event loops unless a test wants another number.
final class LiveServer: Sendable {
    let http: HTTPServer
    let port: Int

    private init(http: HTTPServer, port: Int) {
        self.http = http
        self.port = port
    }

    /// Serves what `responder` answers for as long as `test` runs.
    static func run(
        threads: Int = 2, configure: (inout HTTPServer.Configuration) -> Void = { _ in },
        _ responder: @escaping Handler,
        test: (LiveServer) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        var configuration = HTTPServer.Configuration()
        configuration.port = 0
        // With hundreds of other tests running, a client may be slow to send its request after connecting.
        configuration.limits.headTimeout = .seconds(600)
        configure(&configuration)
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let http = HTTPServer(
            configuration: configuration, group: group, logger: silent, responder: responder)
        let outcome: Result<Void, any Error>
        do {
            let port = try await http.start().port
            try await test(LiveServer(http: http, port: try #require(port)))
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await http.shutdown(within: .seconds(2))
        try await group.shutdownGracefully()
        try outcome.get()
    }

    /// How many connections are open, by the loops' own count.
    func connections() async -> Int { await http.statistics().connections }
}

/// A client that does only what the test has it do.
final class LiveClient: Sendable {
    private let descriptor: CInt

    /// Connects.
    ///
    /// - Parameter receiveBuffer: how much the kernel holds of what is not read, about.
    convenience init(to server: LiveServer, receiveBuffer: CInt? = nil) async throws {
        try await self.init(port: server.port, receiveBuffer: receiveBuffer)
    }

    /// Connects to a port of this machine.
    init(port: Int, receiveBuffer: CInt? = nil) async throws {
        #if canImport(Glibc)
            let made = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        #else
            let made = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        descriptor = made
        // What never comes is waited for so long, and passes for the end then.
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        if var receiveBuffer {
            setsockopt(made, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<CInt>.size))
        }
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        let result = try await threads.runIfActive {
            address.withSockAddr { connect(made, $0, socklen_t($1)) }
        }
        try #require(result == 0)
    }

    deinit { close(descriptor) }

    func send(_ text: String) async throws {
        let octets = Array(text.utf8)
        try await threads.runIfActive { [descriptor] in
            _ = octets.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        }
    }

    /// Says that no more comes.
    func sendEnd() { shutdown(descriptor, CInt(SHUT_WR)) }

    /// Has the connection end with a reset, as of a machine that was switched off and on.
    func resetAtEnd() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    }

    /// Some of what has come; empty when the server has closed or reset the connection.
    func receive(_ most: Int = 64 << 10) async throws -> [UInt8] {
        try await threads.runIfActive { [descriptor] in
            var buffer = [UInt8](repeating: 0, count: most)
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            return Array(buffer[..<max(0, count)])
        }
    }

    /// How a connection ended.
    enum End: Equatable { case end, reset, failed(CInt) }

    /// Reads until the connection has ended, and says how.
    func receiveEnd() async throws -> End {
        try await threads.runIfActive { [descriptor] in
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
                if count == 0 { return .end }
                if count < 0 { return errno == ECONNRESET ? .reset : .failed(errno) }
            }
        }
    }

    /// What comes until the server closes.
    func receiveAll() async throws -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let octets = try await receive()
            if octets.isEmpty { return all }
            all += octets
        }
    }

    /// One answer, as far as it comes.
    func receiveAnswer() async throws -> Answer {
        var reader = AnswerReader(answering: .get, limits: HTTPLimits())
        while case .open = reader.answer.end {
            let octets = try await receive()
            if octets.isEmpty {
                reader.close()
                break
            }
            reader.feed(octets)
        }
        return reader.answer
    }

    /// Asks for a path and takes the answer.
    func get(_ path: String) async throws -> Answer {
        try await send("GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n")
        return try await receiveAnswer()
    }
}

#if os(Linux)
    /// How many connections are held open at the server's end, `port`. The system's table may change while it is
    /// read: to be asked until it is as it should be.
    func descriptors(at port: Int) -> Int {
        guard let file = fopen("/proc/self/net/tcp", "r") else { return -1 }
        defer { fclose(file) }
        let digits = String(port, radix: 16, uppercase: true)
        let wanted = ":" + String(repeating: "0", count: 4 - digits.count) + digits
        var line = [CChar](repeating: 0, count: 512)
        var inodes: Set<Substring> = []
        while fgets(&line, CInt(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
            // sl, local address, remote address, state (0A listens), queues, timer, retransmits, uid, timeout, inode.
            let columns = text.split(separator: " ")
            let isHeld = columns.count > 9 && columns[3] != "0A" && columns[9] != "0"
            if isHeld, columns[1].hasSuffix(wanted) { inodes.insert(columns[9]) }
        }
        return inodes.count
    }
#endif

/// Returns when `condition` holds.
///
/// - Throws: when it does not within a minute.
func waitUntil(_ condition: () async throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation)
    async throws
{
    let deadline = ContinuousClock.now.advanced(by: .seconds(300))
    while try await !condition() {
        try #require(ContinuousClock.now < deadline, "it never came to that", sourceLocation: sourceLocation)
        await Task.yield()
    }
}
