import HTTPKit
import HTTPTypes
import NIOCore
import Testing

@testable import OnePortTesting

@Suite("What a test makes of an answer")
struct TestResponseTests {
    private func read(_ text: String, answering method: HTTPRequest.Method = .get) throws -> TestResponse {
        try TestResponse(raw: ByteBuffer(string: text), answering: method)
    }

    @Test(
        "RFC 9112 §6.3: content by length, in chunks, to the end, and none",
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
        let answer = try read(text, answering: method)
        #expect(answer.text == content && answer.trailers == nil)
    }

    @Test("RFC 9112 §7.1.2: trailers")
    func trailers() throws {
        let answer = try read("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n")
        #expect(answer.trailers?.first?.value == "y")
    }

    @Test(
        "RFC 9112 §8: an answer that was cut off is not taken for a whole one",
        arguments: [
            "", "HTTP/1.1 200 x\r\n", "HTTP/1.1 200 x\r\nContent-Length: 4\r\n\r\nabc",
            "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ])
    func incomplete(text: String) {
        #expect(throws: TestClientError.incomplete(text)) { try read(text) }
    }

    @Test("a server that sends more than its answer is found out")
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
        "RFC 9112 §6.3: an answer whose end is in doubt is refused",
        arguments: [
            ("Content-Length: 3, 3\r\n", .contentLength), ("Content-Length: 3x\r\n", .contentLength),
            ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", .conflictingFraming),
            ("Transfer-Encoding: gzip\r\n", .transferCodingNotImplemented),
        ] as [(String, HTTPError)])
    func doubtful(fields: String, error: HTTPError) {
        #expect(throws: error) { try read("HTTP/1.1 200 x\r\n\(fields)\r\nabc") }
    }
}
