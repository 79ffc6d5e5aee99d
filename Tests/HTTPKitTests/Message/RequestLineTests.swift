import HTTPTypes
import Testing

@testable import HTTPKit

@Suite("RFC 9112 §3: the request line")
struct RequestLineTests {
    @Test(
        "RFC 9110 §9.1, RFC 9112 §3.1: any token is a method, in its own case",
        arguments: [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "QUERY",
            "X!#$%&'*+-.^_`|~9",
        ])
    func methods(method: String) throws {
        #expect(try head(of: "\(method) / HTTP/1.1\r\nHost: h\r\n\r\n").method == method)
    }

    @Test(
        "RFC 9112 §2.3, RFC 9110 §2.5: any minor version of HTTP/1 is spoken to",
        arguments: ["1.0", "1.1", "1.2", "1.9"])
    func versions(version: String) throws {
        let head = try head(of: "GET / HTTP/\(version)\r\nHost: h\r\n\r\n")
        #expect(head.minorVersion == (version == "1.0" ? 0 : 1))
    }

    @Test("RFC 9112 §2.2: one empty line before a request is passed over")
    func emptyLine() throws {
        #expect(try head(of: "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").method == "GET")
        let two = replay("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(two.count == 4)
    }

    @Test(
        "RFC 9112 §3, §2.2: what is no request line is refused",
        arguments: [
            Refused("\r\n\r\nGET / HTTP/1.1\r\n", .requestLine),
            Refused("\n", .lineEnd),
            Refused("\nGET / HTTP/1.1\r\n", .lineEnd),
            Refused("\rGET / HTTP/1.1\r\n", .lineEnd),
            Refused(" GET / HTTP/1.1\r\n", .requestLine),
            Refused("GET\r\n", .requestLine),
            Refused("GET\n", .lineEnd),
            Refused("GET /\r\n", .notHTTP("an HTTP/0.9 request")),
            Refused("GET /\n", .notHTTP("an HTTP/0.9 request")),
            Refused("GET  / HTTP/1.1\r\n", .requestLine),
            Refused("GET\t/ HTTP/1.1\r\n", .requestLine),
            Refused("GET /\tHTTP/1.1\r\n", .requestTarget),
            Refused("GET /  HTTP/1.1\r\n", .requestLine),
            Refused("GET / HTTP/1.1 \r\n", .requestLine),
            Refused("GET / HTTP/1.1\t\r\n", .requestLine),
            Refused("GET / HTTP/1.1\n", .lineEnd),
            Refused("GET / HTTP/1.1\rHost: h\r\n", .lineEnd),
            Refused("GET / HTTP/1.1\0\r\n", .requestLine),
            Refused("GET / \r\n", .requestLine),
            Refused("GET /a b HTTP/1.1\r\n", .requestLine),
            Refused("G(T / HTTP/1.1\r\n", .requestLine),
            Refused("G\u{E9}T / HTTP/1.1\r\n", .requestLine),
            Refused("{\"a\": 1}", .requestLine),
            Refused("\u{16}\u{03}\u{01}", .notHTTP("a TLS ClientHello")),
            Refused("\0", .notHTTP("binary data")),
        ])
    func refused(request: Refused) { request.check() }

    @Test(
        "RFC 9110 §15.6.6, RFC 9112 §2.3: other versions are 505",
        arguments: ["HTTP/2.0", "HTTP/0.9", "HTTP/3.1", "HTTP/9.9"])
    func otherVersions(version: String) {
        Refused("GET / \(version)\r\n", .version).check()
        #expect(HTTPError.version.status.code == 505)
    }

    @Test(
        "RFC 9112 §2.3, §3: what is no version makes no request line: 400",
        arguments: [
            "HTTP/1.10", "HTTP/1", "HTTP/1.", "HTTP/11.1", "HTTP/01.1", "http/1.1", "Http/1.1", "HTTP/a.1",
            "HTTP/1.a",
            "HTTPS/1.1", "ICY", "HTTP/1,1", "HTTP/2", "http/2.0", String(repeating: "x", count: 100),
        ])
    func noVersion(version: String) {
        Refused("GET / \(version)\r\n", .requestLine).check()
        #expect(HTTPError.requestLine.status.code == 400)
    }

    @Test("RFC 9113 §3.4: the preface of HTTP/2 is told so")
    func http2Preface() { Refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .version).check() }

    @Test("RFC 9110 §15.6.2: a method too long to be one is 501")
    func longMethod() {
        let limits = HTTPLimits()
        Refused(String(repeating: "M", count: limits.maxMethodLength + 1), .methodNotImplemented).check()
        #expect(HTTPError.methodNotImplemented.status.code == 501)
    }

    @Test("RFC 9112 §3, RFC 9110 §15.5.15: a target up to the limit is read, one over it is 414")
    func longTarget() throws {
        var limits = HTTPLimits()
        #expect(limits.maxTargetLength >= 8_000 && limits.maxTargetLength <= 65_536)
        limits.maxTargetLength = 40
        let target = "/" + String(repeating: "a", count: 39)
        let events = replay("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n", limits: limits)
        #expect(events.count == 2)
        Refused("GET \(target)a", .targetTooLong(limit: 40)).check(limits: limits)
        #expect(HTTPError.targetTooLong(limit: 40).status.code == 414)
    }

    @Test("RFC 9112 §3: the default limits take a target of 8,000 octets")
    func eightThousandOctets() {
        var reader = MessageReader(limits: HTTPLimits())
        reader.feed("GET /\(String(repeating: "a", count: 7_999)) HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
        #expect(reader.events.count == 2)
    }
}

@Suite("RFC 9112 §3.2: request targets and Host")
struct RequestTargetTests {
    @Test("RFC 9112 §3.2.1: origin-form")
    func originForm() throws {
        let plain = try head(of: "GET /a/%20b?x=1?y HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(plain.path == "/a/%20b")
        #expect(plain.query == "x=1?y")
        let empty = try head(of: "GET /? HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(empty.path == "/" && empty.query == "")
        #expect(try head(of: "GET //x HTTP/1.1\r\nHost: h\r\n\r\n").path == "//x")
    }

    @Test("RFC 9112 §3.2.2: absolute-form, whatever the case of the scheme")
    func absoluteForm() throws {
        let whole = try head(of: "GET http://h:80/a?b HTTP/1.1\r\nHost: h:80\r\n\r\n")
        #expect(whole.authority == "h:80" && whole.path == "/a" && whole.query == "b")
        let bare = try head(of: "GET HTTPS://H HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(bare.authority == "H" && bare.path.isEmpty && bare.query == nil)
        let query = try head(of: "GET http://h?a HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(query.path.isEmpty && query.query == "a")
    }

    @Test("RFC 9112 §3.2.3: authority-form, only with CONNECT")
    func authorityForm() throws {
        #expect(try head(of: "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n").authority == "h:443")
    }

    @Test("RFC 9112 §3.2.4: asterisk-form, only with OPTIONS")
    func asteriskForm() throws {
        #expect(try head(of: "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").target == "*")
    }

    @Test(
        "RFC 9112 §3.2: a target in none of the forms is 400",
        arguments: [
            "GET * HTTP/1.1", "GET h:80 HTTP/1.1", "GET foo HTTP/1.1", "GET ?a HTTP/1.1",
            "OPTIONS ** HTTP/1.1",
            "CONNECT / HTTP/1.1", "CONNECT h HTTP/1.1", "CONNECT h: HTTP/1.1",
            "CONNECT http://h:80/ HTTP/1.1",
            "GET ftp://h/ HTTP/1.1", "GET http:/h/ HTTP/1.1", "GET http:// HTTP/1.1",
            "GET http:///a HTTP/1.1",
            "GET http://u@h/ HTTP/1.1", "GET http://u:p@h/ HTTP/1.1", "GET http://h:x/ HTTP/1.1",
            "GET http://h:99999/ HTTP/1.1", "GET http://:80/ HTTP/1.1", "GET http://[::1/ HTTP/1.1",
        ])
    func refusedForms(line: String) { Refused("\(line)\r\nHost: h\r\n\r\n", .requestTarget).check() }

    @Test(
        "RFC 9112 §3.2, RFC 3986 §2: a target holds visible US-ASCII and no fragment",
        arguments: ["/a#b", "#", "/\u{7F}", "/\u{E9}", "/\u{1}", "/\0", "/a\u{B}b"])
    func refusedCharacters(target: String) { Refused("GET \(target) HTTP/1.1\r\n", .requestTarget).check() }

    @Test(
        "RFC 9110 §7.2, RFC 3986 §3.2: a valid Host",
        arguments: [
            "h", "example.com", "example.com:8080", "h:", "127.0.0.1:80", "[::1]", "[::1]:80", "[v1.a:b]",
            "a_b-c~d",
            "h%20x", "h:65535", "[::]", "[1::]", "[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7::]",
            "[::2:3:4:5:6:7:8]", "[1::8]:1",
            "[FE80::abcd]", "[::ffff:1.2.3.4]", "[1:2:3:4:5:6:255.0.10.1]", "[::1:2:3:4:5:1.2.3.4]",
        ])
    func validHost(host: String) throws {
        #expect(try head(of: "GET / HTTP/1.1\r\nHost:\(host)\r\n\r\n").fields == ["Host: \(host)"])
    }

    @Test(
        "RFC 9112 §3.2: Host that is missing, repeated or invalid is 400",
        arguments: [
            "", "Host: h\r\nHost: h\r\n", "Host: h\r\nhOST: other\r\n", "Host:\r\n", "Host: a b\r\n",
            "Host: a, b\r\n",
            "Host: a/b\r\n", "Host: u@h\r\n", "Host: h:x\r\n", "Host: h:65536\r\n", "Host: h:80:80\r\n",
            "Host: :80\r\n",
            "Host: [::1\r\n", "Host: [::1]x\r\n", "Host: [g::1]\r\n", "Host: []\r\n", "Host: h%2\r\n",
            "Host: h?\r\n",
            "Host: [fe80::1%25eth0]\r\n",
            "Host: h\u{E9}\r\n", "Host: http://h\r\n", "Host: h:99999999999999999999999999\r\n",
        ])
    func refusedHost(fields: String) { Refused("GET / HTTP/1.1\r\n\(fields)\r\n", .host).check() }

    @Test(
        "RFC 3986 §3.2.2: what is no IPv6 address is no host",
        arguments: [
            "1", ":", ":::", "1:2", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "1::2::3",
            "12345::",
            "::1:", ":1::", "1:2:3:4:5:6:7:", ":2:3:4:5:6:7:8", "1.2.3.4", "::1.2.3", "::1.2.3.4.5",
            "::256.1.1.1",
            "::01.2.3.4", "::1.2.3.", "::1..2.3", "::a.2.3.4", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4",
            "::.1.2.3",
        ])
    func refusedAddress(address: String) {
        Refused("GET / HTTP/1.1\r\nHost: [\(address)]\r\n\r\n", .host).check()
    }

    @Test("RFC 9112 §3.2.2: an absolute target and Host that disagree are 400; both needed in HTTP/1.1")
    func disagreeingHost() {
        Refused("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", .host).check()
        Refused("GET http://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n", .host).check()
        Refused("GET http://a/ HTTP/1.1\r\n\r\n", .host).check()
    }

    @Test("RFC 9112 §3.2: HTTP/1.0 has no need of Host, but one that is there must be right")
    func hostInOldVersion() throws {
        #expect(try head(of: "GET / HTTP/1.0\r\n\r\n").fields.isEmpty)
        Refused("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", .host).check()
    }
}
