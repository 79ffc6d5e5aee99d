import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("RFC 9112 §9: connections")
struct PersistenceTests {
    private static let get = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test("RFC 9112 §9.3: HTTP/1.1 persists without saying so")
    func persists() throws {
        try withWire {
            .text($0.path)
        } test: { wire in
            for path in ["/a", "/b", "/c"] {
                let answer = wire.exchange("GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(content(answer) == path)
                #expect(!answer.has("Connection:"))
            }
            #expect(!wire.isEnded)
            #expect(wire.loop.statistics.requests == 3)
        }
    }

    @Test("RFC 9112 §9.6: close is honoured, answered, and what is behind it is not read")
    func close() throws {
        let notes = Notes()
        try withWire { request in
            notes.add(request.path)
            return .text("x")
        } test: { wire in
            let answer = wire.exchange("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + Self.get)
            #expect(statuses(answer) == [200])
            #expect(answer.has("\r\nConnection: close\r\n"))
            #expect(wire.transport.isOutputClosed && !wire.isClosed)
            #expect(wire.exchange(Self.get).isEmpty)
            #expect(notes.lines == ["/a"])
            wire.sendEnd()
            #expect(wire.isClosed)
        }
    }

    @Test("RFC 9112 §9.3, §C.2.2: HTTP/1.0 persists only when it asks for it")
    func oldVersion() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            let kept = wire.exchange("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            #expect(kept.has("\r\nConnection: keep-alive\r\n"))
            #expect(!wire.isEnded)
            let last = wire.exchange("GET / HTTP/1.0\r\n\r\n")
            #expect(last.has("\r\nConnection: close\r\n"))
            #expect(wire.isEnded)
        }
    }

    @Test("RFC 9112 §9.6: a handler's Connection: close closes")
    func handlerCloses() throws {
        try withWire { _ in
            Response(fields: [.connection: "close"])
        } test: { wire in
            #expect(wire.exchange(Self.get).has("\r\nConnection: close\r\n"))
            #expect(wire.isEnded)
        }
    }

    @Test("RFC 9112 §9.3: the last of the requests that one connection may make says so")
    func requestsPerConnection() throws {
        var limits = HTTPLimits()
        limits.maxRequestsPerConnection = 2
        try withWire(limits: limits) { _ in
            .text("x")
        } test: { wire in
            let answer = wire.exchange(Self.get + Self.get + Self.get)
            #expect(statuses(answer) == [200, 200])
            #expect(answer.has("\r\nConnection: close\r\n"))
        }
    }

    @Test(
        "RFC 9112 §11.2: bytes behind a refused message are never read as a request",
        arguments: [
            ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            ("GET /\r\n", 400), ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
            ("GET /#x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\n", 400),
            (
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                400
            ),
            ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n", 501),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n", 417), ("GET / HTTP/1.1\nHost: h\n\n", 400),
            ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", 400),
            ("\u{16}\u{3}\u{1}", 400), ("\r\n\r\n", 400),
        ])
    func refused(message: String, status: Int) throws {
        let notes = Notes()
        try withWire { request in
            notes.add(request.path)
            return .text("x")
        } test: { wire in
            wire.send("GET /before HTTP/1.1\r\nHost: h\r\n\r\n" + message + Self.get)
            wire.send(Self.get)
            let answer = wire.received()
            #expect(statuses(answer) == [200, status])
            #expect(answer.has("\r\nConnection: close\r\n"))
            #expect(notes.lines == ["/before"])
            #expect(wire.isEnded)
        }
    }

    @Test("RFC 9112 §7.1, §11.2: nor behind content that is malformed", arguments: [true, false])
    func malformedContent(isRead: Bool) throws {
        let notes = Notes()
        try withWire { request in
            notes.add(request.path)
            if isRead { _ = try await request.body.collect() }
            return .text("x")
        } test: { wire in
            let post = "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"
            #expect(statuses(wire.exchange(post + Self.get)) == [isRead ? 400 : 200])
            #expect(notes.lines == ["/a"])
            #expect(wire.isEnded)
        }
    }

    @Test("RFC 9110 §9.3.2: a refusal of HEAD has no content")
    func refusedHead() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            let answer = wire.exchange("HEAD / HTTP/1.1\r\nA: b\r\n\r\n")
            #expect(statuses(answer) == [400])
            #expect(content(answer).isEmpty)
        }
        try withWire { _ in
            .text("x")
        } test: { wire in
            #expect(wire.exchange("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n\rX").has("does not end in CRLF"))
        }
    }

    @Test("RFC 9112 §9.3.2: answers come in the order of the requests, one handler at a time")
    func pipeline() throws {
        let gate = Gate()
        try withWire { request in
            if request.path != "/3" { await gate.pass() }
            return .text(request.path)
        } test: { wire in
            wire.send((1...4).map { "GET /\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }.joined())
            #expect(wire.received().isEmpty)
            #expect(gate.arrivals == 1)
            var all = ""
            for arrivals in 2...3 {
                gate.open()
                wire.settle()
                #expect(gate.arrivals == arrivals)
                all += wire.received()
            }
            gate.open()
            wire.settle()
            all += wire.received()
            #expect(
                all.components(separatedBy: "HTTP/1.1 ").compactMap { content($0).last } == [
                    "1", "2", "3", "4",
                ])
            #expect(!wire.isEnded)
        }
    }

    @Test("RFC 9112 §9.3.2: sixteen pipelined requests cost one write")
    func oneFlush() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            let before = wire.transport.flushes
            wire.send(String(repeating: Self.get, count: 16))
            #expect(wire.transport.flushes - before == 1)
            #expect(statuses(wire.received()).count == 16)
        }
    }

    @Test("RFC 9112 §9.6: who closes its own side gets the answers to all it has sent")
    func halfClose() throws {
        let gate = Gate()
        try withWire { request in
            await gate.pass()
            return .text(request.path)
        } test: { wire in
            wire.send(Self.get + Self.get + "GET / HTT")
            wire.sendEnd()
            #expect(!wire.isClosed)
            gate.open()
            wire.settle()
            gate.open()
            wire.settle()
            #expect(statuses(wire.received()) == [200, 200])
            #expect(wire.isClosed)
        }
    }

    @Test("RFC 9112 §9.6: without a request there is nothing to wait for")
    func endOfIdleConnection() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            wire.sendEnd()
            #expect(wire.isClosed)
        }
    }

    @Test("RFC 9112 §9.6: what is not sent yet when both sides are closed is sent first")
    func endWhileSending() throws {
        try withWire { _ in
            .text(String(repeating: "x", count: 400_000))
        } test: { wire in
            wire.stopTaking()
            wire.send(Self.get)
            wire.sendEnd()
            wire.pass(.seconds(5))
            #expect(!wire.isClosed)
            wire.resumeTaking()
            #expect(wire.receivedCount() > 400_000)
            #expect(wire.isClosed)
        }
    }

    @Test("RFC 9112 §9.5: too many connections are told so")
    func notAdmitted() throws {
        try withWire(isAdmitted: false) { _ in
            .text("x")
        } test: { wire in
            let answer = wire.exchange(Self.get)
            #expect(statuses(answer) == [503])
            #expect(answer.has("\r\nConnection: close\r\n"))
            #expect(wire.isEnded)
        }
    }
}
