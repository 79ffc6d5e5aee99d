import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("RFC 9110 §15, RFC 9112 §6: answers")
struct AnswerTests {
    private static func get(_ path: String, _ version: String = "1.1", method: String = "GET") -> String {
        "\(method) \(path) HTTP/\(version)\r\nHost: h\r\n\r\n"
    }

    private struct Oops: Error {}

    @Test("RFC 9110 §9.3.2: HEAD is answered as GET, without the content")
    func head() throws {
        try withWire { request in
            request.path == "/stream" ? .stream(length: 5) { try await $0.write("12345") } : .text("12345")
        } test: { wire in
            for path in ["/text", "/stream"] {
                let get = wire.exchange(Self.get(path))
                let head = wire.exchange(Self.get(path, method: "HEAD"))
                #expect(get == head + "12345")
                #expect(head.has("\r\nContent-Length: 5\r\n"))
            }
        }
    }

    @Test("RFC 9110 §6.4.1, §8.6, §15.3.6: no content with 204, 205 and 304", arguments: [204, 205, 304])
    func noContent(code: Int) throws {
        try withWire { request in
            request.path == "/stream"
                ? .stream(status: .init(code: code)) { try await $0.write("x") }
                : .text("x", status: .init(code: code))
        } test: { wire in
            for path in ["/text", "/stream"] {
                let answer = wire.exchange(Self.get(path))
                #expect(statuses(answer) == [code])
                #expect(content(answer).isEmpty)
                #expect(!answer.has("Transfer-Encoding"))
                #expect(answer.has("\r\nContent-Length: 0\r\n") == (code == 205))
            }
            #expect(!wire.isEnded)
        }
    }

    @Test("RFC 9110 §15.2: an interim status is no answer", arguments: [100, 101, 103, 199])
    func interimAnswer(code: Int) throws {
        try withWire { _ in
            .status(.init(code: code))
        } test: { wire in
            #expect(statuses(wire.exchange(Self.get("/"))) == [500])
            #expect(!wire.isEnded)
        }
    }

    @Test(
        "RFC 8297, RFC 9110 §15.2: 103 ahead of the answer, as often as wished; not in HTTP/1.0, not behind it"
    )
    func earlyHints() throws {
        try withWire { request in
            let link: HTTPFields = [HTTPField.Name("Link") ?? .via: "</s.css>; rel=preload"]
            request.sendInformational(.earlyHints, fields: link)
            request.sendInformational(.continue, fields: [:])
            request.sendInformational(.switchingProtocols, fields: [:])
            request.sendInformational(.ok, fields: [:])
            return .stream { writer in
                request.sendInformational(.earlyHints, fields: link)
                try await writer.write("x")
                request.sendInformational(.earlyHints, fields: link)
            }
        } test: { wire in
            let answer = wire.exchange(Self.get("/"))
            #expect(statuses(answer) == [103, 103, 200])
            #expect(
                answer.hasPrefix(
                    "HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\nHTTP/1.1 103"))
            #expect(statuses(wire.exchange("GET / HTTP/1.0\r\n\r\n")) == [200])
        }
    }

    @Test(
        "RFC 9112 §7.1, §6.3: content of unknown length: chunks, in HTTP/1.0 until the end of the connection")
    func unknownLength() throws {
        try withWire { _ in
            .stream { writer in
                try await writer.write("ab")
                try await writer.write("")
                try await writer.write("c")
            }
        } test: { wire in
            let answer = wire.exchange(Self.get("/"))
            #expect(answer.has("\r\nTransfer-Encoding: chunked\r\n"))
            #expect(content(answer) == "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
            let old = wire.exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(content(old) == "abc")
            #expect(old.has("\r\nConnection: close\r\n"))
            #expect(!old.has("Transfer-Encoding") && !old.has("Content-Length"))
            #expect(wire.isEnded)
        }
    }

    @Test("RFC 9110 §6.5, Server-Timing §2: trailers behind chunks")
    func trailers() throws {
        let timing = HTTPField.Name("Server-Timing") ?? .via
        try withWire { _ in
            .stream { writer in
                try await writer.write("x")
                writer.setTrailers([timing: "db;dur=5"])
            }
        } test: { wire in
            #expect(wire.exchange(Self.get("/")).hasSuffix("1\r\nx\r\n0\r\nServer-Timing: db;dur=5\r\n\r\n"))
            #expect(!wire.exchange("GET / HTTP/1.0\r\n\r\n").has("Server-Timing"))
        }
    }

    @Test(
        "RFC 9110 §8.6: more or less than was announced breaks the connection off",
        arguments: ["123456", "1234"])
    func announcedLength(text: String) throws {
        try withWire { _ in
            .stream(length: 5) { writer in
                try await writer.write("1")
                try await writer.write(String(text.dropFirst()))
            }
        } test: { wire in
            let answer = wire.exchange(Self.get("/") + Self.get("/"))
            #expect(statuses(answer) == [200])
            #expect(content(answer).utf8.count < 5)
            #expect(wire.isClosed)
        }
    }

    @Test("RFC 9110 §8.6: when nothing at all was written of what was announced, that is a 500")
    func nothingWritten() throws {
        try withWire { _ in
            .stream(length: 5) { _ in }
        } test: { wire in
            #expect(statuses(wire.exchange(Self.get("/"))) == [500])
            #expect(!wire.isEnded)
        }
    }

    @Test("RFC 9110 §15.6.1: what a handler throws is 500, and the connection goes on")
    func throwing() throws {
        try withWire { request in
            switch request.path {
            case "/plain": throw Oops()
            case "/stream": return .stream { _ in throw Oops() }
            case "/known": throw HTTPFailure(.conflict, "taken", fields: [.retryAfter: "1"])
            default: return .stream { _ in throw HTTPFailure(.notFound, "gone") }
            }
        } test: { wire in
            for path in ["/plain", "/stream"] {
                let answer = wire.exchange(Self.get(path))
                #expect(statuses(answer) == [500])
                #expect(!answer.has("Oops"))
            }
            let known = wire.exchange(Self.get("/known"))
            #expect(statuses(known) == [409])
            #expect(known.has("\r\nRetry-After: 1\r\n") && content(known) == "taken\n")
            #expect(statuses(wire.exchange(Self.get("/other"))) == [404])
            #expect(!wire.isEnded)
        }
    }

    @Test("RFC 9112 §8, §7.1: a stream that fails in its midst closes without a last chunk")
    func throwingLate() throws {
        try withWire { _ in
            .stream { writer in
                try await writer.write("x")
                throw Oops()
            }
        } test: { wire in
            let answer = wire.exchange(Self.get("/") + Self.get("/"))
            #expect(content(answer) == "1\r\nx\r\n")
            #expect(wire.isClosed)
        }
    }

    @Test("Backpressure: a writer waits for a client that does not read, and goes on when it does")
    func slowReader() throws {
        var limits = HTTPLimits()
        limits.writeBufferSize = 64 << 10
        let notes = Notes()
        try withWire(limits: limits) { _ in
            .stream { writer in
                for _ in 0..<100 {
                    try await writer.write(ByteBuffer(repeating: 0x78, count: 8_000))
                    notes.add("")
                }
            }
        } test: { wire in
            wire.stopTaking()
            wire.send(Self.get("/"))
            #expect(wire.transport.waiting < 100_000)
            #expect(notes.lines.count < 15)
            wire.resumeTaking()
            #expect(wire.receivedCount() > 800_000)
            #expect(notes.lines.count == 100)
        }
    }

    @Test("Backpressure: several tasks that write one answer all wait")
    func concurrentWriters() throws {
        var limits = HTTPLimits()
        limits.writeBufferSize = 64 << 10
        let notes = Notes()
        try withWire(limits: limits) { _ in
            .stream { writer in
                await withTaskGroup { group in
                    for _ in 0..<4 {
                        group.addTask {
                            for _ in 0..<50 {
                                try? await writer.write(ByteBuffer(repeating: 0x78, count: 8_000))
                                notes.add("")
                            }
                        }
                    }
                }
            }
        } test: { wire in
            wire.stopTaking()
            wire.send(Self.get("/"))
            #expect(wire.transport.waiting < 150_000)
            wire.resumeTaking()
            #expect(wire.receivedCount() > 1_600_000)
            #expect(notes.lines.count == 200)
        }
    }

    @Test("Backpressure: no request is begun while the answers before it are not taken")
    func pipelineOfSlowReader() throws {
        var limits = HTTPLimits()
        limits.writeBufferSize = 64 << 10
        let notes = Notes()
        try withWire(limits: limits) { _ in
            notes.add("")
            return .text(String(repeating: "x", count: 10_000))
        } test: { wire in
            wire.stopTaking()
            wire.send(String(repeating: Self.get("/"), count: 100))
            #expect(notes.lines.count < 12)
            var sent = 0
            while wire.transport.isReading, sent < 1_000 {
                wire.send(String(repeating: Self.get("/"), count: 100))
                sent += 1
            }
            #expect(sent < 100, "reads stop when a bounded number of requests waits")
            wire.resumeTaking()
            #expect(notes.lines.count == 100 * (sent + 1))
        }
    }

    @Test("A client that is gone ends the writer's wait, and what it writes next throws")
    func clientGone() throws {
        var limits = HTTPLimits()
        limits.writeBufferSize = 1 << 10
        let notes = Notes()
        try withWire(limits: limits) { _ in
            .stream { writer in
                do {
                    while true { try await writer.write(ByteBuffer(repeating: 0x78, count: 8_000)) }
                } catch {
                    notes.add("\(error is CancellationError) \(Task.isCancelled)")
                }
            }
        } test: { wire in
            wire.stopTaking()
            wire.send(Self.get("/"))
            #expect(notes.lines.isEmpty)
            wire.hangUp()
            #expect(notes.lines == ["true true"])
        }
    }

    @Test("A handler whose client is gone may answer into the void")
    func answerAfterClose() throws {
        let gate = Gate()
        try withWire { _ in
            await gate.pass()
            return .text("x")
        } test: { wire in
            wire.send(Self.get("/"))
            wire.hangUp()
            gate.open()
            wire.settle()
            #expect(wire.received().isEmpty)
        }
    }

    @Test("What a writer of an answer that is over writes goes nowhere")
    func writerOutlivesAnswer() throws {
        let notes = Notes()
        let gate = Gate()
        try withWire { request in
            guard request.path == "/a" else { return .text("b") }
            return .stream { writer in
                Task.immediate(executorPreference: request.connection.loop) {
                    await gate.pass()
                    do { try await writer.write("late") } catch { notes.add("\(type(of: error))") }
                    writer.setTrailers([.eTag: "late"])
                }
            }
        } test: { wire in
            #expect(statuses(wire.exchange(Self.get("/a"))) == [200])
            gate.open()
            wire.settle()
            #expect(content(wire.exchange(Self.get("/b"))) == "b")
            #expect(notes.lines == ["CancellationError"])
        }
    }

    @Test("RFC 9110 §6.6.1: every final answer has one Date")
    func date() throws {
        try withWire { _ in
            Response(fields: [.date: "yesterday"])
        } test: { wire in
            for text in [Self.get("/"), "GET / HTTP/1.1\r\n\r\n"] {
                #expect(wire.exchange(text).components(separatedBy: "\r\nDate: ").count == 2)
            }
        }
    }

    @Test("The counters count what went in and out")
    func statistics() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            let answer = wire.exchange(Self.get("/"))
            #expect(wire.loop.statistics.bytesIn == Self.get("/").utf8.count)
            #expect(wire.loop.statistics.bytesOut == answer.utf8.count)
            #expect(wire.loop.statistics.requests == 1)
        }
    }
}
