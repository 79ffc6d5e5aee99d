import NIOCore
import Testing

@testable import HTTPKit

@Suite("RFC 9110 §15.5.14: a chunk that is announced over the limit is rejected when its size is read")
struct AnnouncedChunkTests {
    private static let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

    /// How a handler reads its body, and how many bytes it allows.
    enum Reading: String, CaseIterable, Sendable {
        case collect, collectUpTo, pieces, streamed, raised

        var limit: Int {
            switch self {
            case .collectUpTo: 500
            case .raised: 2000
            case .collect, .pieces, .streamed: 1000
            }
        }

        func respond(to received: Request) async throws -> Response {
            var request = received
            switch self {
            case .collect: return .text("\(try await request.body.collect().readableBytes)")
            case .collectUpTo: return .text("\(try await request.body.collect(upTo: 500).readableBytes)")
            case .pieces: break
            case .raised: request.bodyLimit = 2000
            case .streamed:
                return .stream { writer in
                    for try await piece in received.body { try await writer.write(piece) }
                }
            }
            var count = 0
            for try await piece in request.body { count += piece.readableBytes }
            return .text("\(count)")
        }
    }

    private var limits: HTTPLimits {
        var limits = HTTPLimits()
        limits.maxBodySize = 1000
        return limits
    }

    private func size(_ number: Int) -> String { String(number, radix: 16) }

    @Test("at any size and with any reader", arguments: Reading.allCases)
    func tooLarge(reading: Reading) throws {
        let over = size(reading.limit + 1)
        let sizes = [
            over, over.uppercased(), "100000001", "FFFFFFFFFFFFFFF", "7FFFFFFFFFFFFFFF", "8000000000000000",
            "FFFFFFFFFFFFFFFF", "10000000000000000", String(repeating: "F", count: 100), "00\(over)",
            "\(over);a=b",
        ]
        for size in sizes {
            try withWire(limits: limits) {
                try await reading.respond(to: $0)
            } test: { wire in
                wire.send(Self.head + size + "\r")
                #expect(wire.received().isEmpty)
                wire.send("\n")
                let response = wire.received()
                #expect(statuses(response) == [413], "\(size)")
                // What is small enough is dropped, and the connection goes on behind it.
                let isSmall = size.lowercased().contains(over)
                #expect(response.has("\r\nConnection: close\r\n") != isSmall, "\(size)")
                wire.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(wire.received().isEmpty, "what follows is a part of the chunk")
            }
        }
    }

    @Test(
        "also the second chunk, with what the first has used; a body of the limit is read",
        arguments: Reading.allCases)
    func second(reading: Reading) throws {
        let half = String(repeating: "x", count: reading.limit / 2)
        let first = "\(size(half.count))\r\n\(half)\r\n"
        for (rest, expected) in [(half.count, 200), (half.count + 1, 413)] {
            try withWire(limits: limits) {
                try await reading.respond(to: $0)
            } test: { wire in
                wire.send(Self.head + first)
                wire.send("\(size(rest))\r\n")
                if expected == 200 {
                    wire.send(half + "\r\n0\r\n\r\n")
                    #expect(statuses(wire.received()) == [200])
                } else if reading == .streamed {
                    // The head and the first piece are out already: only the end of the connection can tell.
                    #expect(wire.isClosed)
                } else {
                    #expect(statuses(wire.received()) == [413])
                }
            }
        }
    }

    @Test("A part of the chunk that has come with its size changes nothing", arguments: Reading.allCases)
    func partly(reading: Reading) throws {
        try withWire(limits: limits) {
            try await reading.respond(to: $0)
        } test: { wire in
            wire.send("\(Self.head)\(size(reading.limit + 1))\r\n\(String(repeating: "x", count: 400))")
            #expect(statuses(wire.received()) == [413])
        }
    }

    @Test(
        "A handler may raise the limit until it reads, whatever has arrived",
        arguments: ["chunked", "Content-Length"])
    func raised(framing: String) throws {
        let body = String(repeating: "x", count: 2000)
        let request =
            framing == "Content-Length"
            ? "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n\(body)"
            : "\(Self.head)7D0\r\n\(body)\r\n0\r\n\r\n"
        try withWire(limits: limits) {
            try await Reading.raised.respond(to: $0)
        } test: { wire in
            #expect(content(wire.exchange(request)) == "2000")
        }
    }

    @Test("Without digits there is no size: 400, however large")
    func malformed() throws {
        for size in ["FFFFFFFFFFFFFFFFFFFFg", "g", "-1", String(repeating: "F", count: 100_000)] {
            try withWire(limits: limits) {
                try await Reading.collect.respond(to: $0)
            } test: { wire in
                wire.send(Self.head + size)
                #expect(statuses(wire.received()) == [400])
            }
        }
    }
}
