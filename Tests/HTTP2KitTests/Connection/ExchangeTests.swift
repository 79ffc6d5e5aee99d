import HTTPTypes
import NIOCore
import Testing

@testable import HTTP2Kit
@testable import HTTPKit

/// Requests and responses on the streams of one connection.
@Suite struct ExchangeTests {
    @Test("the server's preface comes at once: its settings, then room for the connection")
    func preface() throws {
        let wire = try HTTP2Wire(preface: false)
        let summary = try wire.summary()
        #expect(summary == ["settings", "0 window \(HTTP2Limits().connectionWindow - 65_535)"])
    }

    @Test("a request gets its response, and the next one on another stream too")
    func requests() throws {
        let wire = try HTTP2Wire()
        for stream in [UInt32(1), 3, 9] {
            try wire.get(stream: stream)
            let summary = try wire.summary()
            #expect(summary == ["\(stream) :status: 200, content-length: 5", "\(stream) data hello end"])
        }
        #expect(wire.connection.streams.isEmpty)
        #expect(wire.connection.running == 0)
    }

    @Test("the same block again is the same request, and another table is another one")
    func knownBlock() throws {
        let wire = try HTTP2Wire { request in
            .text(request.path + (request.fields[.init("x-a") ?? .accept] ?? ""))
        }
        // An entry of the table that the block refers to, which is replaced in between.
        let block = HTTP2Wire.block(HTTP2Wire.head("GET", "/p")) + [0xBE]
        func insert(_ value: UInt8, stream: UInt32) throws {
            let entry: [UInt8] = [0x40, 3, 0x78, 0x2D, 0x61, 1, value]
            try wire.send(
                wire.frame(1, 5, stream: stream, HTTP2Wire.block(HTTP2Wire.head("GET", "/i")) + entry))
        }
        try insert(0x31, stream: 1)
        for stream in [UInt32(3), 5, 7] { try wire.send(wire.frame(1, 5, stream: stream, block)) }
        try insert(0x32, stream: 9)
        try wire.send(wire.frame(1, 5, stream: 11, block))
        let content = try wire.frames().filter { $0.type == 0 }.map {
            String(decoding: $0.payload, as: UTF8.self)
        }
        #expect(content == ["/i1", "/p1", "/p1", "/p1", "/i2", "/p2"])
    }

    @Test("HEAD, 204 and 304 end with their heads; a stream's framing is not sent as a field")
    func withoutContent() throws {
        let wire = try HTTP2Wire { request in
            switch request.path {
            case "/204": .status(.noContent)
            case "/304": .status(.notModified)
            default: Response(fields: [.connection: "keep-alive"], body: .string("hello"))
            }
        }
        try wire.send(wire.frame(1, 5, stream: 1, HTTP2Wire.block(HTTP2Wire.head("HEAD", "/"))))
        try wire.get("/204", stream: 3)
        try wire.get("/304", stream: 5)
        let summary = try wire.summary()
        #expect(
            summary == ["1 :status: 200, content-length: 5 end", "3 :status: 204 end", "5 :status: 304 end"])
    }

    @Test("content is streamed both ways, with trailers")
    func streams() throws {
        let wire = try HTTP2Wire { request in
            .stream { writer in
                for try await chunk in request.body { try await writer.write(chunk) }
                let trailers = try await request.body.trailers()
                let end = try #require(HTTPField.Name("x-end"))
                let sum = try #require(HTTPField.Name("x-sum"))
                writer.setTrailers([end: trailers?[sum] ?? "none"])
            }
        }
        try wire.post(stream: 1)
        try wire.data("one", stream: 1)
        try wire.data("two", stream: 1)
        try wire.send(wire.frame(1, 5, stream: 1, HTTP2Wire.block([("x-sum", "6"), ("host", "evil")])))
        let summary = try wire.summary()
        #expect(summary == ["1 :status: 200", "1 data one", "1 data two", "1 x-end: 6 end"])
        #expect(wire.connection.streams.isEmpty)
    }

    @Test("a slow stream holds up no other one")
    func interleaving() throws {
        let wire = try HTTP2Wire { request in
            if request.path == "/slow" { for try await _ in request.body {} }
            return .text(request.path)
        }
        try wire.post("/slow", stream: 1)
        try wire.get("/fast", stream: 3)
        let first = try wire.summary()
        try wire.data("x", stream: 1, end: true)
        let second = try wire.summary()
        #expect(first == ["3 :status: 200, content-length: 5", "3 data /fast end"])
        #expect(second == ["1 :status: 200, content-length: 5", "1 data /slow end"])
    }

    @Test("a client that waits for 100 gets it when the handler reads")
    func expectation() throws {
        let wire = try HTTP2Wire { request in .text(try await request.body.text()) }
        try wire.post(stream: 1, [("expect", "100-continue")])
        let interim = try wire.summary()
        try wire.data("ok", stream: 1, end: true)
        let final = try wire.summary()
        #expect(interim == ["1 :status: 100"])
        #expect(final == ["1 :status: 200, content-length: 2", "1 data ok end"])
    }

    @Test("a response that is early does not reset the stream, and what still comes is dropped")
    func earlyResponse() throws {
        let wire = try HTTP2Wire(http: HTTPLimits()) { _ in .text("no", status: .notFound) }
        try wire.post(stream: 1)
        let response = try wire.summary()
        #expect(response == ["1 :status: 404, content-length: 2", "1 data no end"])
        // More than the windows: the client is given room for what is dropped.
        for _ in 0..<40 { try wire.send(wire.frame(0, stream: 1, Array(repeating: 0, count: 16_000))) }
        let credits = try wire.frames()
        #expect(credits.allSatisfy { $0.type == 8 })
        #expect(credits.contains { $0.stream == 1 })
        #expect(credits.contains { $0.stream == 0 })
        try wire.data("", stream: 1, end: true)
        #expect(wire.connection.streams.isEmpty)
    }

    @Test("a client that goes on for too long behind an early response is told to stop")
    func endlessUpload() throws {
        let wire = try HTTP2Wire { _ in .text("no", status: .notFound) }
        try wire.post(stream: 1)
        _ = try wire.frames()
        wire.pass(.seconds(4))
        try wire.data("more", stream: 1)
        wire.pass(.seconds(4))
        let before = try wire.summary()
        wire.pass(.seconds(2))
        let after = try wire.summary()
        #expect(before.isEmpty)
        #expect(after == ["1 reset 0"])
        #expect(wire.connection.streams.isEmpty)
        // What was on its way is no error.
        try wire.data("late", stream: 1)
        try wire.get(stream: 3)
        let next = try wire.summary()
        #expect(
            next.first == "3 :status: 200, content-length: 5"
                || next.first == "3 :status: 404, content-length: 2")
    }

    @Test("malformed requests reset their streams, and the connection goes on")
    func malformed() throws {
        let wire = try HTTP2Wire()
        try wire.get(stream: 1, [("connection", "close")])
        try wire.get(stream: 3, [("X-Upper", "a")])
        try wire.post(stream: 5, [("content-length", "3")])
        try wire.data("four", stream: 5)
        try wire.post(stream: 7, [("content-length", "3")])
        try wire.data("tw", stream: 7, end: true)
        try wire.get(stream: 9, [("content-length", "3")])
        try wire.get(stream: 11)
        let resets = try wire.frames().filter { $0.type == 3 }
        #expect(resets.map(\.stream) == [1, 3, 5, 7, 9])
        #expect(resets.allSatisfy { $0.number == ErrorCode.protocolError.rawValue })
    }

    @Test("what has no handler gets a response")
    func refused() throws {
        var limits = HTTPLimits()
        limits.maxFieldSectionSize = 1000
        limits.maxTargetLength = 1000
        limits.maxFieldCount = 10
        let wire = try HTTP2Wire(http: limits)
        try wire.get("/" + String(repeating: "a", count: 3000), stream: 1)
        try wire.get(stream: 3, [("x-a", String(repeating: "a", count: 3000))])
        try wire.get(stream: 5, (0..<20).map { ("x-\($0)", "a") })
        try wire.get("/a b", stream: 7)
        try wire.get(stream: 9)
        let statuses = try wire.frames().filter { $0.type == 1 }.map(\.fields.first)
        #expect(statuses == [":status: 414", ":status: 431", ":status: 431", ":status: 400", ":status: 200"])
    }

    @Test("a handler that fails in the midst of its response resets the stream, and only that")
    func brokenOff() throws {
        let wire = try HTTP2Wire { request in
            guard request.path == "/broken" else { return .text("ok") }
            return .stream { writer in
                try await writer.write(ByteBuffer(string: "half"))
                throw CancellationError()
            }
        }
        try wire.get("/broken", stream: 1)
        try wire.get(stream: 3)
        let summary = try wire.summary()
        #expect(summary.contains("1 reset \(ErrorCode.internalError.rawValue)"))
        #expect(summary.contains("3 data ok end"))
    }

    @Test("a reset cancels the handler, and tells who asked for it")
    func clientReset() throws {
        let notes = Notes()
        let wire = try HTTP2Wire { request in
            request.onDisconnect { notes.add("gone") }
            do {
                for try await _ in request.body {}
            } catch {
                notes.add("\(error is CancellationError || error is HTTPError)")
                // The client is gone already.
                request.onDisconnect { notes.add("gone before") }
            }
            return .text("nobody reads this")
        }
        try wire.post(stream: 1)
        try wire.reset(1)
        let summary = try wire.summary()
        #expect(notes.all == ["gone", "true", "gone before"])
        #expect(summary.isEmpty)
        #expect(wire.connection.running == 0)
        #expect(wire.connection.streams.isEmpty)
    }
}
