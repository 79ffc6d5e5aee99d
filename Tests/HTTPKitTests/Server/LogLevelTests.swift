import NIOCore
import Testing

@testable import HTTPKit

@Suite("What is logged, and how loudly")
struct LogLevelTests {
    private static let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

    /// The lines about a request that is answered by `responder`.
    private func lines(_ request: String, _ responder: @escaping Handler) throws -> [String] {
        try withWire(responder) { wire in
            wire.send(request)
            #expect(wire.isEnded)
            return wire.log.lines
        }
    }

    @Test("What a client sends wrongly is never above info, before an answer and in the middle of one")
    func clients() throws {
        let whole = try lines(Self.head + "1\r\na\r\nx\r\n") { request in
            for try await _ in request.body {}
            return .text("")
        }
        #expect(whole == [])
        let streamed = try lines(Self.head + "1\r\na\r\nx\r\n") { request in
            .stream { writer in
                for try await part in request.body { try await writer.write(part) }
            }
        }
        #expect(streamed == ["info response broken off"])
    }

    @Test("A handler that fails in the middle of its answer is a warning")
    func handlers() throws {
        struct Failure: Error {}
        let lines = try lines("GET / HTTP/1.1\r\nHost: h\r\n\r\n") { _ in
            .stream { writer in
                try await writer.write("a")
                throw Failure()
            }
        }
        #expect(lines == ["warning response broken off"])
    }
}
