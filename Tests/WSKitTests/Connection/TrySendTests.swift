import Dispatch
import HTTPKit
import NIOCore
import Synchronization
import Testing

@testable import WSKit

@Suite("Sending without waiting, from other threads", .timeLimit(.minutes(2)))
struct TrySendTests {
    /// Runs `body` on another thread while this one waits.
    private static func elsewhere<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> Result? {
        let result = Mutex<Result?>(nil)
        let isDone = DispatchSemaphore(value: 0)
        DispatchQueue.global().async {
            let value = body()
            result.withLock { $0 = value }
            isDone.signal()
        }
        isDone.wait()
        return result.withLock { $0 }
    }

    @Test(
        "RFC 6455 §5.4: a streamed message is not interrupted; a message accepted before it began is dropped")
    func stream() async throws {
        let outcomes = Journal()
        @Sendable func send(_ text: String, on socket: WebSocket) {
            let outcome = Self.elsewhere { socket.trySend(Message(text: text)) }
            outcomes.note("\(text): \(outcome.map { "\($0)" } ?? "")")
        }
        try await LiveServer.run { socket in
            // The loop gets it after this code, which begins a stream in the meantime.
            send("overtaken", on: socket)
            try await socket.sendStream(.text) { writer in
                try await writer.write("str")
                // Lets the loop run the queued task.
                try await socket.eventLoop.submit {}.get()
                send("during", on: socket)
                outcomes.note("on the loop: \(socket.trySend(Message(text: "x")))")
                try await writer.write("eam")
            }
            send("after", on: socket)
            for try await _ in socket.messages {}
        } test: { server in
            let socket = try await WebSocketClient.connect(to: server.address())
            var texts = socket.texts.makeAsyncIterator()
            #expect(try await texts.next() == "stream")
            #expect(try await texts.next() == "after")
            #expect(await server.http.statistics().messagesDropped == 1)
            await socket.close()
        }
        #expect(
            outcomes.all == [
                "overtaken: sent", "during: full", "on the loop: full", "after: sent",
            ])
    }
}
