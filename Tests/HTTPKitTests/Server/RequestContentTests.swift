import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("RFC 9110 §6.4, §10.1.1: the content of requests")
struct RequestContentTests {
    private static let get = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"

    private static func post(_ fields: String, _ content: String = "") -> String {
        "POST /post HTTP/1.1\r\nHost: h\r\n\(fields)\r\n\(content)"
    }

    @Test("RFC 9112 §6: content is read to its end and no further", arguments: [true, false])
    func collected(isChunked: Bool) throws {
        try withWire {
            .text(String(buffer: try await $0.body.collect()))
        } test: { wire in
            let message =
                isChunked
                ? Self.post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
                : Self.post("Content-Length: 5\r\n", "abcde")
            for byte in message.utf8 { wire.send([byte]) }
            #expect(content(wire.received()) == "abcde")
            #expect(statuses(wire.exchange(message + Self.get)) == [200, 200])
        }
    }

    @Test("RFC 9110 §10.1.1: 100 is sent when the content is wanted, and only then")
    func continueWhenRead() throws {
        let gate = Gate()
        try withWire { request in
            await gate.pass()
            return .text(String(buffer: try await request.body.collect()))
        } test: { wire in
            wire.send(Self.post("Content-Length: 2\r\nExpect: 100-continue\r\n"))
            #expect(wire.received().isEmpty)
            gate.open()
            wire.settle()
            #expect(wire.received() == "HTTP/1.1 100 Continue\r\n\r\n")
            let answer = wire.exchange("ok")
            #expect(statuses(answer) == [200] && content(answer) == "ok")
            #expect(!wire.isEnded)
        }
    }

    @Test("RFC 9110 §10.1.1: a streamed answer asks for content too, before its own head")
    func continueWhenStreamed() throws {
        try withWire { request in
            .stream { writer in for try await chunk in request.body { try await writer.write(chunk) } }
        } test: { wire in
            #expect(
                statuses(wire.exchange(Self.post("Content-Length: 2\r\nExpect: 100-continue\r\n"))) == [100])
            let answer = wire.exchange("ok")
            #expect(statuses(answer) == [200])
            #expect(content(answer) == "2\r\nok\r\n0\r\n\r\n")
        }
    }

    @Test("RFC 9110 §10.1.1: an answer without a 100 closes, since content may follow or not")
    func notInvited() throws {
        try withWire { _ in
            .text("no", status: .forbidden)
        } test: { wire in
            let answer = wire.exchange(Self.post("Content-Length: 5\r\nExpect: 100-continue\r\n"))
            #expect(statuses(answer) == [403])
            #expect(answer.has("\r\nConnection: close\r\n"))
            #expect(wire.exchange(Self.get).isEmpty)
        }
    }

    @Test("RFC 9110 §10.1.1: no 100 for HTTP/1.0, without content, or when the content is there")
    func noContinue() throws {
        try withWire {
            .text(String(buffer: try await $0.body.collect()))
        } test: { wire in
            let expect = "Expect: 100-continue\r\n"
            #expect(statuses(wire.exchange(Self.post("Content-Length: 2\r\n\(expect)", "ok"))).last == 200)
            #expect(statuses(wire.exchange(Self.post("Content-Length: 0\r\n\(expect)"))) == [200])
            #expect(statuses(wire.exchange(Self.post(expect))) == [200])
            let old = "POST / HTTP/1.0\r\nContent-Length: 2\r\n\(expect)\r\n"
            #expect(wire.exchange(old).isEmpty)
            #expect(statuses(wire.exchange("ok")) == [200])
        }
    }

    @Test("RFC 9110 §15.5.14: announced content over the limit is 413 at once, without a 100")
    func announcedTooLarge() throws {
        var limits = HTTPLimits()
        limits.maxBodySize = 10
        try withWire(limits: limits) {
            .text(String(buffer: try await $0.body.collect()))
        } test: { wire in
            let small = wire.exchange(Self.post("Content-Length: 11\r\n", "12345678901"))
            #expect(statuses(small) == [413])
            #expect(statuses(wire.exchange(Self.get)) == [200])
            let answer = wire.exchange(Self.post("Content-Length: 5000000\r\nExpect: 100-continue\r\n"))
            #expect(statuses(answer) == [413])
            #expect(answer.has("\r\nConnection: close\r\n"))
        }
    }

    @Test("RFC 9110 §15.5.14: chunked content is 413 as soon as it passes the limit")
    func chunkedTooLarge() throws {
        var limits = HTTPLimits()
        limits.maxBodySize = 10
        try withWire(limits: limits) {
            .text(String(buffer: try await $0.body.collect()))
        } test: { wire in
            wire.send(Self.post("Transfer-Encoding: chunked\r\n", "a\r\n1234567890\r\n"))
            #expect(wire.received().isEmpty)
            #expect(statuses(wire.exchange("1\r\nx\r\n")) == [413])
        }
    }

    @Test("RFC 9110 §15.5.14: a handler sets its own limit, in either direction")
    func ownLimit() throws {
        var limits = HTTPLimits()
        limits.maxBodySize = 10
        try withWire(limits: limits) { request in
            var request = request
            switch request.path {
            case "/small": return .text(String(buffer: try await request.body.collect(upTo: 3)))
            case "/large": return .text(String(buffer: try await request.body.collect(upTo: 30)))
            default:
                request.bodyLimit = 20
                return .text(String(buffer: try await request.body.collect()))
            }
        } test: { wire in
            func post(_ path: String, _ count: Int) -> Int? {
                let text = "POST \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: \(count)\r\n\r\n"
                return statuses(wire.exchange(text + String(repeating: "x", count: count))).last
            }
            #expect(post("/small", 3) == 200)
            #expect(post("/small", 4) == 413)
            #expect(post("/large", 30) == 200)
            #expect(post("/large", 31) == 413)
            #expect(post("/limit", 20) == 200)
            #expect(post("/limit", 21) == 413)
        }
    }

    @Test("the limit belongs to a copy of the request: others keep theirs", arguments: [true, false])
    func limitOfACopy(isRaised: Bool) throws {
        var limits = HTTPLimits()
        limits.maxBodySize = 10
        try withWire(limits: limits) { request in
            var other = request
            other.bodyLimit = isRaised ? 100 : 3
            guard request.bodyLimit == 10, other.bodyLimit != 10 else { return .text("shared") }
            return .text(String(buffer: try await request.body.collect()))
        } test: { wire in
            func post(_ count: Int) -> String {
                let text = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(count)\r\n\r\n"
                return wire.exchange(text + String(repeating: "x", count: count))
            }
            #expect(content(post(10)) == String(repeating: "x", count: 10))
            #expect(statuses(post(11)) == [413])
        }
    }

    @Test("a limit that middleware raises holds for the handler, though the body came before")
    func raisedLate() throws {
        var limits = HTTPLimits()
        limits.maxBodySize = 10
        let gate = Gate()
        try withWire(limits: limits) { request in
            await gate.pass()
            var request = request
            request.bodyLimit = 20
            return .text(String(buffer: try await request.body.collect()))
        } test: { wire in
            wire.send(
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n123456789012345\r\n0\r\n\r\n"
            )
            wire.loop.turn { gate.open() }
            wire.settle()
            #expect(content(wire.received()) == "123456789012345")
        }
    }

    @Test("RFC 9112 §9.3: content that nobody read is passed over up to a bound", arguments: [true, false])
    func unreadContent(isChunked: Bool) throws {
        var limits = HTTPLimits()
        limits.maxDiscardedBody = 1_000
        try withWire(limits: limits) {
            .text($0.path)
        } test: { wire in
            func post(_ count: Int) -> String {
                let text = String(repeating: "x", count: count)
                return isChunked
                    ? Self.post(
                        "Transfer-Encoding: chunked\r\n",
                        "\(String(count, radix: 16))\r\n\(text)\r\n0\r\n\r\n")
                    : Self.post("Content-Length: \(count)\r\n", text)
            }
            #expect(statuses(wire.exchange(post(1_000) + Self.get)) == [200, 200])
            wire.send(post(5_000).utf8.dropLast(2_000))
            let answer = wire.received()
            #expect(statuses(answer) == [200])
            // Of chunked content it is known only later that it is too much.
            #expect(answer.has("\r\nConnection: close\r\n") == !isChunked)
            wire.send(post(5_000).utf8.suffix(2_000))
            wire.send(Self.get)
            #expect(wire.received().isEmpty)
            #expect(wire.isEnded)
        }
    }

    @Test(
        "RFC 9112 §9.3: a streamed answer may read the content it is made of; what it leaves unread is bounded",
        arguments: [true, false])
    func contentReadWhileAnswering(reads: Bool) throws {
        var limits = HTTPLimits()
        limits.maxDiscardedBody = 1_000
        try withWire(limits: limits) { request in
            .stream { writer in
                guard reads else { return try await writer.write("unread") }
                for try await piece in request.body { try await writer.write(piece) }
            }
        } test: { wire in
            let text = Self.post("Content-Length: 5000\r\n", String(repeating: "x", count: 5_000))
            wire.send(text.utf8.dropLast(3_000))
            wire.send(text.utf8.suffix(3_000))
            let answer = wire.received()
            #expect(statuses(answer) == [200])
            #expect(!answer.has("\r\nConnection: close\r\n"))
            #expect(wire.isEnded == !reads)
            wire.send(Self.get)
            #expect(statuses(wire.received()) == (reads ? [200] : []))
        }
    }

    @Test("RFC 9112 §9.3: an answer may come while content still arrives")
    func earlyAnswer() throws {
        try withWire {
            .text($0.path)
        } test: { wire in
            #expect(statuses(wire.exchange(Self.post("Content-Length: 10\r\n", "12345"))) == [200])
            #expect(!wire.isEnded)
            #expect(statuses(wire.exchange("67890" + Self.get)) == [200])
        }
    }

    @Test("Backpressure: of content that is not read only a bounded part is taken")
    func notRead() throws {
        let gate = Gate()
        try withWire { request in
            await gate.pass()
            return .text("\(try await request.body.collect().readableBytes)")
        } test: { wire in
            let piece = [UInt8](repeating: 0x78, count: 16 << 10)
            wire.send(Self.post("Content-Length: \(16 * piece.count)\r\n"))
            var sent = 0
            while wire.transport.isReading, sent < 16 {
                wire.send(piece)
                sent += 1
            }
            #expect(sent <= 9, "twice the buffer is the most that may be held")
            gate.open()
            wire.settle()
            #expect(wire.transport.isReading)
            while sent < 16 {
                wire.send(piece)
                sent += 1
            }
            #expect(content(wire.received()) == "\(16 * piece.count)")
        }
    }

    @Test("RFC 9112 §8: content that ends too early is an error, not an end")
    func incomplete() throws {
        try withWire {
            .text(String(buffer: try await $0.body.collect()))
        } test: { wire in
            wire.send(Self.post("Content-Length: 5\r\n", "123"))
            wire.sendEnd()
            #expect(statuses(wire.received()) == [400])
            #expect(wire.isClosed)
        }
    }

    @Test(
        "RFC 9112 §9.6: content that was whole when the client closed its side is given to a slow handler whole"
    )
    func wholeBeforeEnd() throws {
        let gate = Gate()
        try withWire { request in
            await gate.pass()
            return .text("\(try await request.body.collect().readableBytes)")
        } test: { wire in
            let count = 400_000
            wire.send(Self.post("Content-Length: \(count)\r\n", String(repeating: "x", count: count)))
            wire.sendEnd()
            gate.open()
            wire.settle()
            #expect(content(wire.received()) == "\(count)")
            #expect(wire.isClosed)
        }
    }

    @Test("RFC 9110 §6.5: trailers are there behind the content")
    func trailers() throws {
        try withWire { request in
            let trailers = try await request.body.trailers()
            return .text(trailers?[.eTag] ?? "none")
        } test: { wire in
            let chunked = "Transfer-Encoding: chunked\r\n"
            #expect(
                content(wire.exchange(Self.post(chunked, "1\r\na\r\n0\r\nETag: x\r\nHost: y\r\n\r\n"))) == "x"
            )
            #expect(content(wire.exchange(Self.post(chunked, "1\r\na\r\n0\r\n\r\n"))) == "none")
            #expect(content(wire.exchange(Self.post("Content-Length: 1\r\n", "a"))) == "none")
        }
    }

    @Test("Content in crumbs is swept together, and whole")
    func crumbs() throws {
        let gate = Gate()
        let notes = Notes()
        try withWire { request in
            await gate.pass()
            var whole = ""
            for try await piece in request.body {
                notes.add("")
                whole += String(buffer: piece)
            }
            return .text(whole)
        } test: { wire in
            let digits = (0..<900).map { String($0 % 10) }
            wire.send(
                Self.post("Transfer-Encoding: chunked\r\n") + digits.map { "1\r\n\($0)\r\n" }.joined()
                    + "0\r\n\r\n")
            gate.open()
            wire.settle()
            #expect(content(wire.received()) == digits.joined())
            #expect(notes.lines.count < 10)
        }
    }

    @Test("The content that a client takes with it ends the handler's wait")
    func clientGone() throws {
        let notes = Notes()
        try withWire { request in
            do { _ = try await request.body.collect() } catch { notes.add("\(error)") }
            return .text("x")
        } test: { wire in
            wire.send(Self.post("Content-Length: 5\r\n", "123"))
            wire.hangUp()
            #expect(notes.lines == ["\(HTTPError.incompleteBody)"])
        }
    }
}
