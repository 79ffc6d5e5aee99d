import HTTPKit
import HTTPTypes
import NIOCore
import Testing

@testable import HTTP2Kit

@Suite struct RequestSectionTests {
    /// Lines of `name: value`; a pseudo-header field begins with a colon.
    private func read(_ lines: [String]) throws(RequestFault) -> RequestMessage {
        var section = FieldSection(maxSize: 64 << 10, maxCount: 100)
        for line in lines {
            let parts = line.dropFirst().split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(line.prefix(1)) + (parts.first ?? "")
            let value =
                parts.count > 1
                ? parts[1].hasPrefix(" ") ? String(parts[1].dropFirst()) : String(parts[1]) : ""
            section.append(Array((name + value).utf8).span, nameLength: name.utf8.count)
        }
        return try RequestSection.read(section, limits: HTTPLimits())
    }

    private static let good = [":method: GET", ":scheme: https", ":path: /a?b=c", ":authority: example.com"]

    @Test("a request: its method, target, host and fields, in their order")
    func request() throws {
        let message = try read(Self.good + ["accept: */*", "x-a: 1", "x-a: 2"])
        #expect(message.head.method == .get)
        #expect(message.head.version == .http2)
        #expect(message.head.form == .origin(path: message.head.path, query: message.head.query))
        let head = message.head
        #expect(head.buffer.string(head.path) == "/a")
        #expect(head.query.map { head.buffer.string($0) } == "b=c")
        let names = head.slots.map { head.buffer.string($0.name(from: 0)) }
        let values = head.slots.map { head.buffer.string($0.value(from: 0)) }
        #expect(names == ["host", "accept", "x-a", "x-a"])
        #expect(values == ["example.com", "*/*", "1", "2"])
    }

    @Test("the crumbs of a cookie become one field (RFC 9113 §8.2.3)")
    func cookies() throws {
        let message = try read(Self.good + ["cookie: a=1", "accept: */*", "cookie: b=2", "cookie: c=3"])
        let head = message.head
        let lines = head.slots.map {
            "\(head.buffer.string($0.name(from: 0)))=\(head.buffer.string($0.value(from: 0)))"
        }
        #expect(lines == ["host=example.com", "cookie=a=1; b=2; c=3", "accept=*/*"])
    }

    static let malformedHeads: [[String]] = [
        // Pseudo-header fields: missing, repeated, unknown, behind a field, empty.
        [":scheme: https", ":path: /", ":authority: a"], [":method: GET", ":path: /", ":authority: a"],
        [":method: GET", ":scheme: https", ":authority: a"], good + [":path: /"], good + [":method: GET"],
        good + [":status: 200"], good + [":version: 2"], ["accept: a"] + good,
        [":method: GET", ":scheme: https", ":path: ", ":authority: a"],
        [":method: G T", ":scheme: https", ":path: /", ":authority: a"],
        [":method: ", ":scheme: https", ":path: /", ":authority: a"],
        // A path is none.
        [":method: GET", ":scheme: https", ":path: a", ":authority: a"],
        [":method: GET", ":scheme: https", ":path: http://a/", ":authority: a"],
        // Fields of the connection (§8.2.2).
        good + ["connection: close"], good + ["keep-alive: 1"], good + ["proxy-connection: close"],
        good + ["transfer-encoding: chunked"], good + ["upgrade: websocket"], good + ["te: gzip"],
        good + ["te: trailers, gzip"],
        // Names and values (§8.2.1).
        good + ["Accept: a"], good + ["a b: c"], good + ["a\u{0}: c"], good + ["a: b\r\nc: d"],
        good + ["a: b\u{0}"],
        good + ["a:  b"], good + ["a: b "], good + ["a: b\t"],
        // Lengths.
        good + ["content-length: -1"], good + ["content-length: 1", "content-length: 2"],
        good + ["content-length: "], good + ["content-length: 1, 1"],
        good + ["content-length: 99999999999999999999"],
        // CONNECT (§8.5, RFC 8441 §4).
        [":method: CONNECT", ":scheme: https", ":path: /", ":authority: a:1"],
        [":method: CONNECT", ":protocol: websocket", ":authority: a"], good + [":protocol: websocket"],
        [":method: CONNECT"],
    ]

    @Test("malformed requests (RFC 9113 §8.1.1)", arguments: malformedHeads)
    func malformed(_ lines: [String]) {
        do throws(RequestFault) {
            _ = try read(lines)
            Issue.record("taken")
        } catch {
            guard case .malformed = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test(
        "requests that get a response",
        arguments: [
            (good + ["host: other.example"], HTTPError.host),
            (good + ["host: example.com", "host: example.com"], .host),
            ([":method: GET", ":scheme: https", ":path: /"], .host),
            ([":method: GET", ":scheme: https", ":path: /", ":authority: a b"], .host),
            ([":method: GET", ":scheme: https", ":path: /", ":authority: user@a"], .host),
            ([":method: GET", ":scheme: https", ":path: /a b", ":authority: a"], .requestTarget),
            ([":method: GET", ":scheme: https", ":path: /#a", ":authority: a"], .requestTarget),
            ([":method: GET", ":scheme: https", ":path: *", ":authority: a"], .requestTarget),
            (good + ["expect: tea"], .expectation),
        ])
    func refused(_ lines: [String], _ error: HTTPError) {
        #expect(throws: RequestFault.refused(error)) { _ = try read(lines) }
    }

    @Test("a target and a method above the limits")
    func limits() {
        let long = "/" + String(repeating: "a", count: HTTPLimits().maxTargetLength)
        #expect(throws: RequestFault.refused(.targetTooLong(limit: HTTPLimits().maxTargetLength))) {
            _ = try read([":method: GET", ":scheme: https", ":path: \(long)", ":authority: a"])
        }
        let method = String(repeating: "A", count: HTTPLimits().maxMethodLength + 1)
        #expect(throws: RequestFault.refused(.methodNotImplemented)) {
            _ = try read([":method: \(method)", ":scheme: https", ":path: /", ":authority: a"])
        }
    }

    @Test(
        "what is allowed: te: trailers, a Host that agrees, OPTIONS *, CONNECT, extended CONNECT, content-length"
    )
    func allowed() throws {
        _ = try read(Self.good + ["te: trailers", "host: EXAMPLE.com"])
        _ = try read([":method: OPTIONS", ":scheme: https", ":path: *", ":authority: a"])
        _ = try read([":method: GET", ":scheme: https", ":path: /", "host: a"])
        let connect = try read([":method: CONNECT", ":authority: a:443"])
        #expect(connect.head.form == .authority(connect.head.target))
        let extended = try read([
            ":method: CONNECT", ":protocol: websocket", ":scheme: https", ":path: /ws", ":authority: a",
        ])
        #expect(extended.head.connectProtocol == "websocket")
        let length = try read(Self.good + ["content-length: 12", "content-length: 12"]).contentLength
        #expect(length == 12)
    }
}
