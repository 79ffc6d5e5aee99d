import HTTPTypes
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPKit

@Suite("RFC 9110 §13: preconditions for a handler's own validators, and redirects")
struct ConditionalResponseTests {
    private func request(_ method: String, _ fields: HTTPFields) throws -> Request {
        let lines = fields.map { "\($0.name.rawName): \($0.value)\r\n" }.joined()
        var decoder = RequestDecoder(limits: HTTPLimits())
        var input = ByteBuffer(string: "\(method) / HTTP/1.1\r\nHost: h\r\n\(lines)\r\n")
        let head = try #require(try decoder.next(&input))
        let info = ConnectionInfo.unconnected()
        return Request(head: head, body: .empty, connection: info, bodyLimit: 0)
    }

    private static let date = "Sun, 06 Nov 1994 08:49:37 GMT"

    private static let cases: [(HTTPFields, Int)] = [
        ([:], 200), ([.ifNoneMatch: "\"a\""], 304), ([.ifNoneMatch: "W/\"a\""], 304),
        ([.ifNoneMatch: "*"], 304),
        ([.ifNoneMatch: "\"b\", \"a\""], 304), ([.ifNoneMatch: "\"b\""], 200),
        ([.ifModifiedSince: date], 304), ([.ifNoneMatch: "\"b\"", .ifModifiedSince: date], 200),
        ([.ifModifiedSince: "Sun, 06 Nov 1994 08:49:36 GMT"], 200), ([.ifMatch: "\"a\""], 200),
        ([.ifMatch: "\"b\""], 412), ([.ifUnmodifiedSince: date], 200),
        ([.ifUnmodifiedSince: "Sun, 06 Nov 1994 08:49:36 GMT"], 412),
    ]

    @Test("304 and 412 by the response's ETag and Last-Modified", arguments: cases)
    func conditions(fields: HTTPFields, status: Int) throws {
        let response = Response(
            fields: [
                .eTag: "\"a\"", .lastModified: Self.date, .contentType: "text/x", .cacheControl: "no-cache",
                .setCookie: "a=1",
            ], body: .string("body"))
        for method in ["GET", "HEAD"] {
            let result = response.conditional(on: try request(method, fields))
            #expect(result.status.code == status)
            #expect(result.fields[.eTag] == "\"a\"" && result.fields[.cacheControl] == "no-cache")
            #expect(result.fields[.setCookie] == "a=1")
            if status == 304 { #expect(result.body.length == 0 && result.fields[.contentType] == nil) }
            if status == 412 { #expect(result.fields[.contentType] == "text/plain; charset=utf-8") }
        }
    }

    @Test("Other methods, other statuses and responses without validators stay as they are")
    func untouched() throws {
        let conditions: HTTPFields = [.ifNoneMatch: "*", .ifMatch: "\"b\""]
        let tagged: HTTPFields = [.eTag: "\"a\""]
        #expect(Response(fields: tagged).conditional(on: try request("POST", conditions)).status == .ok)
        for status in [HTTPResponse.Status.notFound, .found, .internalServerError] {
            let response = Response(status: status, fields: tagged)
            #expect(response.conditional(on: try request("GET", conditions)).status == status)
        }
        #expect(Response().conditional(on: try request("GET", conditions)).status == .ok)
        let malformed = Response(fields: [.eTag: "a"])
        #expect(malformed.conditional(on: try request("GET", conditions)).status == .ok)
    }

    @Test("The middleware answers for every handler behind it")
    func middleware() async throws {
        let handler = Middleware.compose([.conditional]) { _ in
            Response(fields: [.eTag: "\"a\""], body: .string("x"))
        }
        #expect(try await handler(request("GET", [.ifNoneMatch: "\"a\""])).status == .notModified)
        #expect(try await handler(request("GET", [:])).status == .ok)
    }

    private static let changing: [(HTTPFields, String?, Bool)] = [
        ([:], "\"a\"", true), ([.ifMatch: "\"a\""], "\"a\"", true), ([.ifMatch: "\"b\""], "\"a\"", false),
        ([.ifMatch: "W/\"a\""], "W/\"a\"", false), ([.ifNoneMatch: "*"], "\"a\"", false),
        ([.ifNoneMatch: "*"], nil, true), ([.ifMatch: "*"], nil, false), ([.ifMatch: "*"], "\"a\"", true),
    ]

    @Test("RFC 9110 §13.2: a request that changes something is checked before it acts", arguments: changing)
    func changes(fields: HTTPFields, tag: String?, holds: Bool) throws {
        let request = try request("PUT", fields)
        if holds {
            try request.checkPreconditions(eTag: tag)
        } else {
            let error = #expect(throws: HTTPFailure.self) { try request.checkPreconditions(eTag: tag) }
            #expect(error?.status == .preconditionFailed)
        }
    }

    @Test(
        "RFC 3986 §2: a redirect escapes what no URI may hold, and keeps escapes",
        arguments: [
            ("/a b?c=d e", "/a%20b?c=d%20e"), ("/ü", "/%C3%BC"),
            ("/a\r\nSet-Cookie: x=1", "/a%0D%0ASet-Cookie:%20x=1"),
            ("/%41%zz%", "/%41%25zz%25"), ("https://h:1/p?q=[1]#f", "https://h:1/p?q=[1]#f"),
            ("/\"<>\\^`{|}\u{0}\u{7F}", "/%22%3C%3E%5C%5E%60%7B%7C%7D%00%7F"), ("", ""),
        ])
    func redirects(location: String, encoded: String) {
        #expect(Response.redirect(to: location).fields[.location] == encoded)
    }
}
