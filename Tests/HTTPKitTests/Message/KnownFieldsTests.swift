import NIOCore
import Testing

@testable import HTTPKit

@Suite("RFC 9112 §2.1: fields that a client sends again are read once")
struct KnownFieldsTests {
    private static let lines = [
        "GET / HTTP/1.1\r\n", "GET /a/long/path?query=1 HTTP/1.1\r\n", "HEAD /x HTTP/1.1\r\n",
        "PUT http://example.com/x HTTP/1.1\r\n", "OPTIONS * HTTP/1.1\r\n", "GET /old HTTP/1.0\r\n",
    ]

    /// Sections of which some begin as others do, or differ in one octet.
    private static let sections = [
        "Host: example.com\r\n\r\n",
        "Host: example.com\r\nAccept: */*\r\n\r\n",
        "Host: example.com\r\nAccept: */*\r\nCookie: a=1\r\n\r\n",
        "Host: example.com\r\nAccept: */*\r\nCookie: a=2\r\n\r\n",
        "Host: example.org\r\nAccept: */*\r\n\r\n",
        "Host: example.com\r\nConnection: close\r\n\r\n",
        "Host: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "Host: example.com\r\nContent-Length: 0\r\n\r\n",
        "Host: example.com\r\nContent-Length: 00\r\nExpect: 100-continue\r\n\r\n",
        "Accept: */*\r\n\r\n",
    ]

    /// What decoders that have seen nothing before make of each request, up to the first that is refused.
    private static func singly(_ requests: [String]) -> [Event] {
        var events: [Event] = []
        for request in requests {
            var reader = MessageReader(limits: HTTPLimits())
            reader.feed(request.utf8)
            events += reader.events
            if case .failure = events.last { break }
        }
        return events
    }

    @Test("A head means the same whatever came before it, however it is cut", arguments: 0..<300)
    func samePerConnection(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var pool = (0..<2).map { _ in Self.sections.randomElement(using: &random) ?? "" }
        let requests = (0..<12).map { _ in
            if Int.random(in: 0..<6, using: &random) == 0 {
                pool[Int.random(in: 0..<2, using: &random)] =
                    Self.sections.randomElement(using: &random) ?? ""
            }
            let line = Self.lines[min(Int.random(in: 0..<12, using: &random), Self.lines.count - 1)]
            return (line == Self.lines.last ? Self.lines[0] : line)
                + (pool.randomElement(using: &random) ?? "")
        }
        let wanted = Self.singly(requests)
        var whole = MessageReader(limits: HTTPLimits())
        whole.feed(requests.joined().utf8)
        #expect(whole.events == wanted)
        var rest = Array(requests.joined().utf8)[...]
        var reader = MessageReader(limits: HTTPLimits())
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...60, using: &random))
            reader.feed(piece)
            rest = rest.dropFirst(piece.count)
        }
        #expect(reader.events == wanted)
    }

    @Test(
        "RFC 9112 §3.2.2: Host is held against each absolute target, also when it is known",
        arguments: ["http://example.org/", "http://example.com:80/"])
    func absoluteTarget(target: String) {
        let same = "Host: example.com\r\n\r\n"
        let known = Array(repeating: "GET / HTTP/1.1\r\n" + same, count: 3)
        var reader = MessageReader(limits: HTTPLimits())
        reader.feed((known.joined() + "GET \(target) HTTP/1.1\r\n" + same).utf8)
        #expect(reader.events.last == .failure(.host))
    }

    @Test("RFC 9112 §9.3: the same fields mean something else in HTTP/1.0")
    func oldVersion() {
        let same = "Host: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        let known = Array(repeating: "POST / HTTP/1.1\r\n" + same + "0\r\n\r\n", count: 3)
        var reader = MessageReader(limits: HTTPLimits())
        reader.feed((known.joined() + "POST / HTTP/1.0\r\n" + same).utf8)
        #expect(Self.singly(["POST / HTTP/1.0\r\n" + same]) == [.failure(.conflictingFraming)])
        #expect(reader.events.last == .failure(.conflictingFraming))
    }

    /// Whether each of the sections, sent one after the other, was known when it came.
    private func hits(_ sections: [String], line: String = "GET / HTTP/1.1\r\n") throws -> [Bool] {
        var decoder = RequestDecoder(limits: HTTPLimits())
        return try sections.map { section in
            var input = ByteBuffer(string: line + section)
            _ = try decoder.next(&input)
            return decoder.hasMatched
        }
    }

    @Test("Fields are kept from the second request on, and once they are no longer the last twice running")
    func whatIsKept() throws {
        let (a, b) = (Self.sections[1], Self.sections[2])
        #expect(try hits([a, a, a, a]) == [false, false, true, true])
        #expect(try hits([a, a, a, b, a]) == [false, false, true, false, true])
        #expect(try hits([a, a, a, b, b, b]) == [false, false, true, false, false, true])
        #expect(try hits([a, a, a], line: "GET / HTTP/1.0\r\n") == [false, false, false])
    }

    @Test("Nothing is kept for fields that always change, nor for very long ones")
    func whatIsNotKept() throws {
        let changing = (0..<6).map { "Host: h\r\nX: \($0)\r\n\r\n" }
        let same = Self.sections[0]
        #expect(try hits(changing + [same, same, same]).allSatisfy { !$0 })
        let long = "Host: h\r\nX: \(String(repeating: "x", count: 2048))\r\n\r\n"
        #expect(try hits([long, long, long]).allSatisfy { !$0 })
    }
}
