import NIOCore
import Testing

@testable import HTTPKit

@Suite("A task that writes an answer and is cancelled", .timeLimit(.minutes(2)))
struct CancelledWriterTests {
    /// Writes until it cannot.
    private static func writeOn(_ writer: ResponseWriter) async throws {
        while true { try await writer.write(ByteBuffer(repeating: 0x78, count: 100_000)) }
    }

    /// Has a task write until it waits for the client, cancels it, and answers what became of it.
    private static func cancelWaiting(_ writer: ResponseWriter, isElsewhere: Bool) async -> Result<
        Void, any Error
    > {
        if isElsewhere {
            let writing = Task.detached { try await writeOn(writer) }
            while await !writer.isWaiting { await Task.yield() }
            writing.cancel()
            return await writing.result
        }
        return await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await writeOn(writer) }
            while await !writer.isWaiting { await Task.yield() }
            group.cancelAll()
            return await group.nextResult() ?? .success(())
        }
    }

    @Test(
        "it ends at once though the client reads nothing, and others go on with the answer",
        arguments: [true, false])
    func cancelled(isElsewhere: Bool) async throws {
        let ended = AsyncStream.makeStream(of: Result<Void, any Error>.self)
        try await LiveServer.run { _ in
            .stream { writer in
                ended.continuation.yield(await Self.cancelWaiting(writer, isElsewhere: isElsewhere))
                try await writer.write("end")
            }
        } test: { server in
            let client = try await LiveClient(to: server, receiveBuffer: 32 << 10)
            try await client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            var outcome: Result<Void, any Error>?
            for await result in ended.stream {
                outcome = result
                break
            }
            #expect(throws: CancellationError.self) { try #require(outcome).get() }
            let answer = try await client.receiveAnswer()
            #expect(answer.text.hasSuffix("xend"), "what was written has gone out, and what came behind it")
        }
    }

    @Test("one that is cancelled before it writes still writes what needs no waiting")
    func farewell() throws {
        try withWire { _ in
            .stream { writer in
                await withTaskGroup(of: Void.self) { group in
                    group.cancelAll()
                    group.addTask { try? await writer.write("bye") }
                }
            }
        } test: { wire in
            #expect(wire.exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n").has("bye"))
        }
    }
}

extension ResponseWriter {
    /// Whether a task waits for the client to read.
    fileprivate var isWaiting: Bool {
        get async { (exchange.carrier as? HTTPConnection)?.transport.hasWaitingWriters == true }
    }
}
