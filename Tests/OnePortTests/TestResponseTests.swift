import HTTPKit
import HTTPTypes
import NIOCore
import Testing

@testable import OnePortTesting

@Suite("Responses in tests")
struct TestResponseTests {
    private func read(_ text: String, answering method: HTTPRequest.Method = .get) throws -> TestResponse {
        try TestResponse(raw: ByteBuffer(string: text), answering: method)
    }

    @Test(
        "RFC 9112 §6.3: body by length, in chunks, until the close, and none",
        arguments: [
            ("HTTP/1.1 200 x\r\nContent-Length: 3\r\n\r\nabc", .get, "abc"),
            ("HTTP/1.1 200 x\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", .get, "abc"),
            ("HTTP/1.0 200 x\r\n\r\nabc", .get, "abc"),
            ("HTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 x\r\n\r\nabc", .get, "abc"),
            ("HTTP/1.1 200 x\r\nContent-Length: 3\r\n\r\n", .head, ""),
            ("HTTP/1.1 304 x\r\nContent-Length: 3\r\n\r\n", .get, ""), ("HTTP/1.1 204 x\r\n\r\n", .get, ""),
            ("HTTP/1.1 101 x\r\n\r\nwhat another protocol sends", .get, ""),
        ] as [(String, HTTPRequest.Method, String)])
    func content(text: String, method: HTTPRequest.Method, content: String) throws {
        let response = try read(text, answering: method)
        #expect(response.text == content && response.trailers == nil)
    }

    @Test("RFC 9112 §7.1.2: trailers")
    func trailers() throws {
        let response = try read("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n")
        #expect(response.trailers?.first?.value == "y")
    }

    @Test(
        "RFC 9112 §8: a truncated response is an error",
        arguments: [
            "", "HTTP/1.1 200 x\r\n", "HTTP/1.1 200 x\r\nContent-Length: 4\r\n\r\nabc",
            "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ])
    func incomplete(text: String) {
        #expect(throws: TestClientError.incomplete(text)) { try read(text) }
    }

    @Test("bytes after the response are an error")
    func surplus() {
        for (text, method) in [
            ("HTTP/1.1 200 x\r\nContent-Length: 3\r\n\r\nabcd", HTTPRequest.Method.get),
            ("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nd", .get),
            ("HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\nd", .head), ("HTTP/1.1 204 x\r\n\r\nd", .get),
        ] {
            #expect(throws: TestClientError.surplus("d")) { try read(text, answering: method) }
        }
    }

    @Test(
        "RFC 9112 §6.3: a response with ambiguous framing is an error",
        arguments: [
            ("Content-Length: 3, 3\r\n", .contentLength), ("Content-Length: 3x\r\n", .contentLength),
            ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", .conflictingFraming),
            ("Transfer-Encoding: gzip\r\n", .transferCodingNotImplemented),
        ] as [(String, HTTPError)])
    func doubtful(fields: String, error: HTTPError) {
        #expect(throws: error) { try read("HTTP/1.1 200 x\r\n\(fields)\r\nabc") }
    }
}
