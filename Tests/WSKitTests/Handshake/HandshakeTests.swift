import HTTPKit
import HTTPTypes
import Testing

@testable import WSKit

private let good: HTTPFields = [
    .upgrade: "websocket", .connection: "Upgrade", .secWebSocketKey: "dGhlIHNhbXBsZSBub25jZQ==",
    .secWebSocketVersion: "13",
]

private func changed(_ change: (inout HTTPFields) -> Void) -> HTTPFields {
    var fields = good
    change(&fields)
    return fields
}

private func name(_ text: String) -> HTTPField.Name {
    HTTPField.Name(text) ?? .server
}

struct RejectionCase: CustomTestStringConvertible {
    let name: String
    var method = HTTPRequest.Method.get
    var isHTTP11 = true
    var host: String? = "example.org"
    var fields = good
    let rejection: HandshakeRejection
    let status: Int
    var testDescription: String { name }
}

private let rejections: [RejectionCase] = [
    RejectionCase(name: "POST", method: .post, rejection: .method, status: 405),
    RejectionCase(name: "HEAD", method: .head, rejection: .method, status: 405),
    RejectionCase(
        name: "HEAD without Upgrade is answered as GET is (RFC 9110 §9.3.2)", method: .head,
        fields: changed { $0[.upgrade] = nil }, rejection: .notAnUpgrade, status: 426),
    RejectionCase(name: "HTTP/1.0", isHTTP11: false, rejection: .httpVersion, status: 400),
    RejectionCase(name: "no Host", host: nil, rejection: .missingHost, status: 400),
    RejectionCase(
        name: "no Upgrade", fields: changed { $0[.upgrade] = nil }, rejection: .notAnUpgrade, status: 426),
    RejectionCase(
        name: "Upgrade: h2c", fields: changed { $0[.upgrade] = "h2c" }, rejection: .notAnUpgrade, status: 426),
    RejectionCase(
        name: "Connection: close", fields: changed { $0[.connection] = "close" }, rejection: .notAnUpgrade,
        status: 426),
    RejectionCase(
        name: "version 8", fields: changed { $0[.secWebSocketVersion] = "8" }, rejection: .version("8"),
        status: 426),
    RejectionCase(
        name: "no version", fields: changed { $0[.secWebSocketVersion] = nil }, rejection: .version(nil),
        status: 426),
    RejectionCase(
        name: "no key", fields: changed { $0[.secWebSocketKey] = nil }, rejection: .key, status: 400),
    RejectionCase(
        name: "a short key", fields: changed { $0[.secWebSocketKey] = "dGhlIHNhbXBsZSBub25j" },
        rejection: .key,
        status: 400),
    RejectionCase(
        name: "a key that is no base64",
        fields: changed { $0[.secWebSocketKey] = "dGhlIHNhbXBsZSBub25jZ!==" },
        rejection: .key, status: 400),
    RejectionCase(
        name: "two keys",
        fields: changed { $0.append(HTTPField(name: .secWebSocketKey, value: "dGhlIHNhbXBsZSBub25jZQ==")) },
        rejection: .key, status: 400),
    RejectionCase(
        name: "hixie-76",
        fields: [
            .upgrade: "WebSocket", .connection: "Upgrade", name("Sec-WebSocket-Key1"): "4 @1  46546xW%0l 1 5",
            name("Sec-WebSocket-Key2"): "12998 5 Y3 1  .P00",
        ], rejection: .draft76, status: 400),
    RejectionCase(
        name: "another origin", fields: changed { $0[.origin] = "https://evil.example" },
        rejection: .origin("https://evil.example"), status: 403),
    RejectionCase(
        name: "origin null", fields: changed { $0[.origin] = "null" }, rejection: .origin("null"), status: 403
    ),
    RejectionCase(
        name: "a subprotocol twice", fields: changed { $0[.secWebSocketProtocol] = "a, b, a" },
        rejection: .subprotocols, status: 400),
    RejectionCase(
        name: "a subprotocol that is no token", fields: changed { $0[.secWebSocketProtocol] = "a b" },
        rejection: .subprotocols, status: 400),
    RejectionCase(
        name: "an extension whose quoted string never ends",
        fields: changed { $0[.secWebSocketExtensions] = "permessage-deflate, x; a=\"b, permessage-deflate" },
        rejection: .extensions, status: 400),
]

@Suite struct HandshakeTests {
    private func accept(_ fields: HTTPFields, _ handshake: ServerHandshake = ServerHandshake()) throws
        -> ServerHandshake.Acceptance
    {
        try handshake.accept(method: .get, isHTTP11: true, host: "example.org", fields: fields)
    }

    @Test("RFC 6455 §1.3 the example")
    func example() throws {
        let acceptance = try accept(good)
        #expect(acceptance.fields[.secWebSocketAccept] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(acceptance.fields[.upgrade] == "websocket")
        #expect(acceptance.fields[.connection] == "Upgrade")
        #expect(acceptance.fields[.secWebSocketExtensions] == nil)
        #expect(acceptance.fields[.secWebSocketProtocol] == nil)
        #expect(acceptance.deflate == nil)
    }

    @Test("RFC 6455 §4.2.1 rejected handshakes and their responses", arguments: rejections)
    func rejected(_ test: RejectionCase) {
        #expect(throws: test.rejection) {
            try ServerHandshake().accept(
                method: test.method, isHTTP11: test.isHTTP11, host: test.host, fields: test.fields)
        }
        #expect(test.rejection.status.code == test.status)
        #expect(!test.rejection.message.isEmpty)
        if case .version = test.rejection { #expect(test.rejection.fields[.secWebSocketVersion] == "13") }
        if test.rejection == .method { #expect(test.rejection.fields[.allow] == "GET") }
    }

    @Test("§4.2.1 lists and case are handled as in HTTP")
    func lenientWhereHTTPIs() throws {
        _ = try accept(changed { $0[.connection] = "keep-alive, UPGRADE" })
        _ = try accept(changed { $0[.upgrade] = "foo, WebSocket" })
        var split = changed { $0[.connection] = "keep-alive" }
        split.append(HTTPField(name: .connection, value: "upgrade"))
        _ = try accept(split)
    }

    @Test("§4.2.2 subprotocols: the first of the server's that the client offers")
    func subprotocols() throws {
        let handshake = ServerHandshake(subprotocols: ["chat.v2", "chat.v1"])
        let acceptance = try accept(changed { $0[.secWebSocketProtocol] = "x, chat.v1,chat.v2" }, handshake)
        #expect(acceptance.subprotocol == "chat.v2")
        #expect(acceptance.fields[.secWebSocketProtocol] == "chat.v2")
        #expect(try accept(changed { $0[.secWebSocketProtocol] = "x" }, handshake).subprotocol == nil)
    }

    @Test("§10.2 origins")
    func origins() {
        let same = OriginPolicy.sameHost
        let table: [(origin: String, target: String, passes: Bool)] = [
            ("http://example.org", "http://example.org", true),
            ("http://EXAMPLE.org", "http://example.ORG:80", true),
            ("http://example.org:80", "http://example.org", true),
            ("https://example.org", "https://example.org:443", true),
            ("https://example.org", "https://example.org:80", false),
            ("http://example.org:8080", "http://example.org:8080", true),
            ("http://example.org:8080", "http://example.org", false),
            // Another scheme is another origin, whatever the port.
            ("https://example.org", "http://example.org", false),
            ("http://example.org", "https://example.org", false),
            ("https://example.org:8080", "http://example.org:8080", false),
            ("https://example.org", "http://example.org:443", false),
            ("ftp://example.org", "http://example.org", false),
            ("http://[::1]:8080", "http://[::1]:8080", true), ("http://[::1]", "http://[::1]:80", true),
            ("http://[::1]", "http://[::2]", false),
            ("http://example.org.evil", "http://example.org", false),
            ("http://example.org@evil", "http://example.org", false),
            ("http://example.org/", "http://example.org", false), ("null", "http://example.org", false),
            ("", "http://", false), ("http://", "http://", false),
            ("http://a:99999", "http://a:99999", false),
        ]
        for (origin, target, passes) in table {
            let (scheme, host) = (
                target.hasPrefix("https") ? "https" : "http", target.drop { $0 != "/" }.dropFirst(2)
            )
            #expect(
                same.allows(origins: [origin], scheme: scheme, host: String(host)) == passes,
                "\(origin) \(target)")
        }
        #expect(same.allows(origins: [], scheme: "http", host: "example.org"))
        #expect(
            !same.allows(
                origins: ["http://example.org", "http://example.org"], scheme: "http", host: "example.org"))
        #expect(OriginPolicy.any.allows(origins: ["null"], scheme: "http", host: "x"))
    }

    @Test(
        "§10.2 lists of origins: case, default ports and a slash at the end do not matter",
        arguments: [
            ("https://A.example:443", true), ("http://b.example:81", true), ("http://a.example", false),
            ("null", false), ("https://c.example", true), ("http://d.example", true),
            ("http://e.example/", false),
            ("https://[2001:db8::1]", true), ("tauri://localhost", true), ("https://c.example:444", false),
        ])
    func originLists(origin: String, passes: Bool) throws {
        let list = OriginPolicy.list([
            "https://a.example", "http://b.example:81", "https://c.example/", "HTTP://D.Example:80",
            "http://e.example", "https://[2001:DB8::1]:443", "tauri://localhost",
        ])
        try list.check()
        #expect(list.allows(origins: [origin], scheme: "http", host: "a.example") == passes)
    }

    @Test("§10.2 a function decides, given the field as it was sent")
    func originFunction() {
        let policy = OriginPolicy.matching { $0 == "null" || $0.hasSuffix(".example.org") }
        #expect(policy.allows(origins: ["null"], scheme: "http", host: "x"))
        #expect(policy.allows(origins: ["https://a.example.org"], scheme: "http", host: "x"))
        #expect(!policy.allows(origins: ["https://example.org.evil"], scheme: "http", host: "x"))
        #expect(!policy.allows(origins: ["null", "null"], scheme: "http", host: "x"))
        #expect(policy.allows(origins: [], scheme: "http", host: "x"))
    }

    @Test(
        "entries of a list that can never match are errors that say why",
        arguments: [
            ("null", "hide its origin"), ("file://", "null"), ("file:///a", "null"), ("*", "no patterns"),
            ("https://*.example.org", "no patterns"), ("example.org", "begins with a scheme"),
            ("", "begins with a scheme"), ("wss://example.org", "http:// or https://"),
            ("https://example.org/app", "no path"), ("https://example.org//", "no path"),
            ("https://a@example.org", "no path, query or user"), ("https://example.org?x", "no path"),
            ("https://bücher.example", "xn--"), ("https:// example.org", "xn--"),
            ("https://", "scheme://host"), ("https:///", "scheme://host"),
            ("https://a:99999", "scheme://host"),
            ("://a", "scheme://host"), ("https://[::1", "scheme://host"), ("https://a,https://b", "no path"),
        ])
    func badLists(entry: String, reason: String) {
        let error = #expect(throws: OriginListError.self) {
            try OriginPolicy.list(["https://a", entry]).check()
        }
        #expect(error?.origin == entry)
        #expect(error?.description.contains(reason) == true, "\(error.map { $0.description } ?? "")")
    }

    @Test("FIPS 180-4 and RFC 4648 examples")
    func digests() {
        func hex(_ text: String) -> String {
            SHA1.digest(Array(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        #expect(hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
                == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
        #expect(hex(String(repeating: "a", count: 1_000)) == "291e9a6c66994949b57ba5e650361e98fc36b1ba")
        let base64 = [
            "": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "foobar": "Zm9vYmFy",
        ]
        for (text, encoded) in base64 { #expect(Base64.encode(Array(text.utf8)) == encoded) }
    }

    @Test("§9.1 the grammar of extensions")
    func grammar() {
        func parse(_ values: String...) -> [String]? {
            ExtensionOffer.parse(values)?.map { offer in
                ([offer.name] + offer.parameters.map { "\($0.name)\($0.value.map { "=" + $0 } ?? "")" })
                    .joined(separator: ";")
            }
        }
        #expect(parse() == [])
        #expect(parse("", " , ,") == [])
        #expect(parse("a") == ["a"])
        #expect(parse(" a ; b = 1;c=\"x\\y\" ,, d", "e") == ["a;b=1;c=xy", "d", "e"])
        for malformed in [
            "a;", "a b", "a;b=", "a;=1", ";a", "a;b=\"", "a;b=\"\"", "a;b=\"x y\"", "a;b=\"\\\"", "a=1",
            "\"a\"", "a;b=1 2",
        ] {
            #expect(parse(malformed) == nil, "\(malformed)")
            #expect(parse("x, " + malformed + ", y") == nil, "\(malformed)")
        }
    }

    @Test(
        "RFC 7692 §5.1 a malformed offer is declined, and the next one is accepted",
        arguments: [
            "permessage-deflate; server_max_window_bits=", "permessage-deflate; server_max_window_bits=1 0",
            "permessage-deflate; client_max_window_bits=", "permessage-deflate; server_no_context_takeover=",
            "permessage-deflate; client_no_context_takeover=", "\"permessage-deflate\"",
            "permessage-deflate; client_max_window_bits=\"\"",
            "permessage-deflate; client_max_window_bits=\"1 0\"",
            "permessage-deflate; =1", "permessage-deflate;", "permessage-deflate;;server_no_context_takeover",
            "permessage-deflate server_no_context_takeover", "permessage-deflate=1",
            "permessage-deflate; a b",
            "permessage-deflate; a=\"b\"c", "permessage-deflate; a=b\"c\"", "permessage-deflate; \"a\"=b",
            "permessage-deflate; server_max_window_bits==10", "permessage-deflate; a=b=c", "; a", "=1", "@",
            "é",
            "x; a=\"b,c\"", "x; a=\"b, permessage-deflate; c\"", "x; a=\"\\\",permessage-deflate\"",
        ])
    func declines(_ offer: String) throws {
        let handshake = ServerHandshake(deflate: .contextTakeover())
        func agreed(_ value: String) throws -> String? {
            var fields = good
            fields[.secWebSocketExtensions] = value
            return try accept(fields, handshake).fields[.secWebSocketExtensions]
        }
        #expect(try agreed(offer) == nil)
        #expect(try agreed("\(offer), permessage-deflate") == "permessage-deflate")
        #expect(try agreed("permessage-deflate, \(offer)") == "permessage-deflate")
        #expect(try agreed("x; a=1 ,, \(offer) ,permessage-deflate") == "permessage-deflate")
        #expect(throws: HandshakeRejection.extensions) { try agreed("\(offer), x; a=\"b") }
        #expect(throws: HandshakeRejection.extensions) { try agreed("\(offer), x; a=\"b\\\"") }
        var fields = good
        fields.append(HTTPField(name: .secWebSocketExtensions, value: offer))
        fields.append(HTTPField(name: .secWebSocketExtensions, value: "permessage-deflate"))
        #expect(try accept(fields, handshake).deflate == DeflateParameters())
        // A server's response must match the grammar (RFC 6455 §9.1).
        #expect(throws: ClientHandshakeError.self) {
            let client = ClientHandshake(nonce: (1, 2), deflate: .contextTakeover())
            var fields = try accept(client.requestFields, handshake).fields
            fields[.secWebSocketExtensions] = offer
            _ = try client.check(status: 101, fields: fields)
        }
    }

    @Test(
        "both ends agree",
        arguments: [DeflateMode.off, .shared, .contextTakeover(), .contextTakeover(windowBits: 10)])
    func together(mode: DeflateMode) throws {
        let client = ClientHandshake(nonce: (1, 2), subprotocols: ["x", "y"], deflate: mode)
        for serverMode in [DeflateMode.off, .shared, .contextTakeover(), .contextTakeover(windowBits: 9)] {
            let acceptance = try accept(
                client.requestFields, ServerHandshake(subprotocols: ["y"], deflate: serverMode))
            let agreement = try client.check(status: 101, fields: acceptance.fields)
            #expect(agreement.subprotocol == "y")
            #expect(agreement.deflate == acceptance.deflate)
            #expect((agreement.deflate != nil) == (mode != .off && serverMode != .off))
        }
    }

    @Test("RFC 6455 §4.1 responses that a client rejects")
    func clientRefuses() throws {
        let client = ClientHandshake(nonce: (1, 2), subprotocols: ["x"])
        let answer = try accept(client.requestFields, ServerHandshake(subprotocols: ["x"])).fields
        func check(_ status: Int = 101, _ change: (inout HTTPFields) -> Void) throws {
            var fields = answer
            change(&fields)
            _ = try client.check(status: status, fields: fields)
        }
        try check { _ in }
        try check { $0[.upgrade] = "WEBSOCKET" }
        #expect(throws: ClientHandshakeError.status(200, location: nil)) { try check(200) { _ in } }
        #expect(throws: ClientHandshakeError.status(302, location: "/x")) {
            try check(302) { $0[.location] = "/x" }
        }
        #expect(throws: ClientHandshakeError.upgrade) {
            _ = try client.check(status: 101, minorVersion: 0, fields: answer)
        }
        #expect(throws: ClientHandshakeError.upgrade) { try check { $0[.upgrade] = nil } }
        #expect(throws: ClientHandshakeError.upgrade) { try check { $0[.upgrade] = "h2c" } }
        #expect(throws: ClientHandshakeError.connection) { try check { $0[.connection] = "close" } }
        #expect(throws: ClientHandshakeError.accept) { try check { $0[.secWebSocketAccept] = nil } }
        #expect(throws: ClientHandshakeError.accept) {
            try check { $0[.secWebSocketAccept] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" }
        }
        #expect(throws: ClientHandshakeError.subprotocol("z")) {
            try check { $0[.secWebSocketProtocol] = "z" }
        }
        for value in ["x-other", "permessage-deflate; foo", "permessage-deflate, permessage-deflate", "a;;"] {
            #expect(throws: ClientHandshakeError.extensions(value)) {
                try check { $0[.secWebSocketExtensions] = value }
            }
        }
        #expect(throws: ClientHandshakeError.extensions("permessage-deflate")) {
            let off = ClientHandshake(nonce: (1, 2), subprotocols: ["x"], deflate: .off)
            var fields = answer
            fields[.secWebSocketExtensions] = "permessage-deflate"
            _ = try off.check(status: 101, fields: fields)
        }
    }
}
