import HTTPTypes
import Testing

@testable import HTTPKit

@Suite("RFC 8259, RFC 6839 §3.1: which requests are JSON")
struct JSONRequestTests {
    private func status(_ fields: String, at path: String = "/json") throws -> Int? {
        var result: Int?
        try withWire { request in
            switch request.path {
            case "/form":
                return .text("\(try await request.form().count)")
            case "/multipart":
                try await request.multipart { _ in }
                return .text("")
            case "/any": return .text("\(try await request.json(as: [Int].self, anyContentType: true).count)")
            default: return .text("\(try await request.json(as: [Int].self).count)")
            }
        } test: { wire in
            result =
                statuses(
                    wire.exchange("POST \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\(fields)\r\n[1]")
                ).first
        }
        return result
    }

    @Test(
        "RFC 6838 §4.2.8: JSON by its type, or by its suffix",
        arguments: [
            ("application/json", 200), ("Application/JSON ; charset = utf-8", 200), ("text/json", 200),
            ("application/csp-report", 200), ("application/problem+json", 200),
            ("application/vnd.api+json;ext=\"https://example.com/a\"", 200),
            ("application/reports+JSON", 200),
            ("application/ld+json\t;\tprofile = \"x\"", 200),
            ("text/plain", 415), ("application/jsonx", 415), ("application/x-json", 415), ("json", 415),
            ("application/json, text/plain", 415), ("application/json+xml", 415),
        ])
    func types(contentType: String, expected: Int) throws {
        #expect(try status("Content-Type: \(contentType)\r\n") == expected)
    }

    @Test("any type where the handler says so; JSON without one", arguments: ["text/plain", "x", ""])
    func anyType(contentType: String) throws {
        #expect(try status("Content-Type: \(contentType)\r\n", at: "/any") == 200)
        #expect(try status("") == 200)
    }

    @Test(
        "RFC 9110 §8.4: a body that is still encoded is 415, however it is read",
        arguments: ["/json", "/any", "/form", "/multipart"])
    func encoded(path: String) throws {
        let type = [
            "/form": "application/x-www-form-urlencoded", "/multipart": "multipart/form-data; boundary=B",
        ][path]
        let fields = "Content-Type: \(type ?? "application/json")\r\n"
        #expect(try status(fields + "Content-Encoding: gzip\r\n", at: path) == 415)
        #expect(
            try status(fields + "Content-Encoding: IDENTITY\r\n", at: path)
                == (path == "/multipart" ? 400 : 200))
    }
}
