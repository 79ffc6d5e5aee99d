import NIOCore
import NIOEmbedded
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

/// Another process that has the socket, and holds the lock until it is told to end.
private final class OtherProcess {
    private let id: pid_t
    private let end: CInt

    /// Starts `python3`, which takes the lock: within one process, it would hold nobody back.
    init(holding descriptor: CInt) throws {
        let script = """
            import fcntl, sys
            fcntl.lockf(\(descriptor), fcntl.LOCK_EX)
            print("locked", flush=True)
            sys.stdin.read()
            """
        var (input, output): ([CInt], [CInt]) = ([0, 0], [0, 0])
        try #require(pipe(&input) == 0 && pipe(&output) == 0)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input[0], 0)
        posix_spawn_file_actions_adddup2(&actions, output[1], 1)
        posix_spawn_file_actions_addclose(&actions, input[1])
        var made = pid_t()
        var arguments: [UnsafeMutablePointer<CChar>?] =
            ["python3", "-c", script].map { (text: String) in strdup(text) } + [nil]
        defer { for argument in arguments { free(argument) } }
        try #require(posix_spawnp(&made, "python3", &actions, nil, &arguments, environ) == 0)
        id = made
        close(input[0])
        close(output[1])
        end = input[1]
        var byte: UInt8 = 0
        try #require(read(output[0], &byte, 1) == 1)
        close(output[0])
    }

    /// Lets it end, and waits for it.
    func finish() {
        close(end)
        // Other programs may have been given the other end of its input.
        kill(id, SIGKILL)
        var status: CInt = 0
        waitpid(id, &status, 0)
    }
}

@Suite("A socket that several processes have", .serialized)
struct AcceptTurnTests {
    /// Counts how often the channel is asked for connections.
    private final class Reads: ChannelOutboundHandler {
        typealias OutboundIn = Never
        var count = 0
        func read(context: ChannelHandlerContext) { count += 1 }
    }

    /// A bound socket that other programs get too.
    private func makeSocket() throws -> CInt {
        #if canImport(Glibc)
            let made = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        #else
            let made = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        try #require(made >= 0)
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 0)
        let result = address.withSockAddr { bind(made, $0, socklen_t($1)) }
        try #require(result == 0)
        return made
    }

    private func channel(_ descriptor: CInt) throws -> (EmbeddedChannel, Reads) {
        let reads = Reads()
        let channel = EmbeddedChannel()
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(reads)
        try pipeline.addHandler(AcceptTurn(descriptor: descriptor))
        return (channel, reads)
    }

    @Test("one accepts, and the next one as soon as it ends")
    func turns() throws {
        let descriptor = try makeSocket()
        defer { close(descriptor) }
        let other = try OtherProcess(holding: descriptor)
        let (channel, reads) = try channel(descriptor)
        channel.read()
        for _ in 0..<5 { channel.embeddedEventLoop.advanceTime(by: AcceptTurn.interval) }
        #expect(reads.count == 0)
        other.finish()
        channel.embeddedEventLoop.advanceTime(by: AcceptTurn.interval)
        #expect(reads.count == 1)
        channel.read()
        #expect(reads.count == 2)
        _ = try? channel.finish()
    }

    @Test("alone, it accepts at once; closed, it asks no more")
    func alone() throws {
        let descriptor = try makeSocket()
        let (channel, reads) = try channel(descriptor)
        channel.read()
        #expect(reads.count == 1)
        _ = try? channel.finish()
        close(descriptor)
        let held = try makeSocket()
        defer { close(held) }
        let other = try OtherProcess(holding: held)
        let (waiting, _) = try self.channel(held)
        try waiting.close().wait()
        waiting.embeddedEventLoop.run()
        other.finish()
        waiting.embeddedEventLoop.advanceTime(by: AcceptTurn.interval)
        let third = try OtherProcess(holding: held)
        third.finish()
    }

    @Test("a descriptor without such locks is accepted from at once")
    func noLocks() throws {
        let (channel, reads) = try channel(-1)
        channel.read()
        #expect(reads.count == 1)
        _ = try? channel.finish()
    }
}
