import Logging
import NIOCore
import Testing

@testable import HTTPKit

@Suite("Text from outside in the log")
struct LogTextTests {
    @Test(
        "what is not visible is escaped, by Unicode scalar",
        arguments: [
            ("plain text 100% \\ \"q\"", "plain text 100% \\ \"q\""), ("käse 🧀", "käse 🧀"), ("", ""),
            ("a\nb\r\nc\td", "a\\nb\\r\\nc\\td"), ("\u{1B}[2J", "\\u{1B}[2J"),
            ("\u{0}\u{7F}\u{85}", "\\u{0}\\u{7F}\\u{85}"),
            ("e\u{301}\u{8}", "e\u{301}\\u{8}"), ("\u{202E}x\u{2066}", "\\u{202E}x\\u{2066}"),
            ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
            ("\u{200D}\u{FEFF}\u{E0041}", "\\u{200D}\\u{FEFF}\\u{E0041}"),
        ])
    func clean(text: String, cleaned: String) {
        #expect(LogText.clean(text) == cleaned)
    }

    @Test("no scalar gets through that ends a line, starts an escape sequence or reorders text")
    func allScalars() {
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let category = scalar.properties.generalCategory
            guard
                category == .control || category == .format || category == .lineSeparator
                    || category == .paragraphSeparator
            else { continue }
            // Behind a letter, so that both may be one character.
            let cleaned = LogText.clean("a\(scalar)b")
            #expect(cleaned.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }, "U+\(String(value, radix: 16))")
        }
    }

    @Test("a text is cut at the limit, between scalars")
    func limit() {
        #expect(LogText.clean(String(repeating: "x", count: 2000)).utf8.count == LogText.maxBytes + 3)
        #expect(LogText.clean("abcdef", limit: 6) == "abcdef")
        #expect(LogText.clean("abcdefg", limit: 6) == "abcdef…")
        #expect(LogText.clean("ää", limit: 3) == "ä…")
        #expect(LogText.clean("a\n\n", limit: 3) == "a\\n…")
    }

    private struct Loud: Error, CustomStringConvertible {
        let description = "bad\n2026-01-01 info : forged\u{1B}[31m"
    }

    @Test("an error's text is one line, wherever the error comes from")
    func errors() throws {
        let responses: [@Sendable () throws -> Response] = [
            { throw Loud() }, { .stream { _ in throw Loud() } },
            {
                .stream { writer in
                    try await writer.write("x")
                    throw Loud()
                }
            },
        ]
        for make in responses {
            try withWire { _ in
                try make()
            } test: { wire in
                wire.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(
                    wire.log.entries.map { $0.metadata["error"] } == [
                        "bad\\n2026-01-01 info : forged\\u{1B}[31m"
                    ])
            }
        }
    }
}

@Suite("Log lines that clients can cause")
struct ClientLogTests {
    private func window(rate: Int, _ times: [Int64]) -> [LogWindow.Step] {
        var window = LogWindow(rate: rate)
        return times.map { window.next(at: LoopInstant(milliseconds: $0)) }
    }

    @Test("so many a second are logged; the first that is left out has the count reported")
    func window() {
        #expect(
            window(rate: 2, [0, 10, 20, 30, 999, 1000, 1001, 1002])
                == [
                    .log, .log, .leaveOut(reportIn: 980), .leaveOut(reportIn: nil), .leaveOut(reportIn: nil),
                    .log,
                    .log, .leaveOut(reportIn: nil),
                ])
        #expect(window(rate: 0, [5]) == [.leaveOut(reportIn: 1000)])
    }

    @Test("the count starts again once it was taken")
    func count() {
        var window = LogWindow(rate: 1)
        for _ in 0..<5 { _ = window.next(at: LoopInstant(milliseconds: 0)) }
        #expect(window.takeLeftOut() == 4)
        #expect(window.takeLeftOut() == 0)
        #expect(window.next(at: LoopInstant(milliseconds: 400)) == .leaveOut(reportIn: 600))
    }

    @Test(
        "refused requests: as many lines as the limit says, and one with the count, though no other follows")
    func refused() throws {
        var limits = HTTPLimits()
        limits.clientErrorLogRate = 3
        let log = ClientLog(rate: 3)
        let noted = NotedLog()
        var wires: [Wire] = []
        defer { for wire in wires { wire.finish() } }
        for _ in 0..<20 {
            let wire = try Wire(limits: limits, log: noted, clientLog: log) { _ in .text("") }
            wires.append(wire)
            wire.send("GET\r\n\r\n")
            #expect(statuses(wire.received()) == [400])
        }
        // A slow machine may have begun another second meanwhile.
        let refused = noted.lines.count { $0 == "info request refused" }
        #expect(refused >= 3 && refused < 20)
        for wire in wires { wire.runTimers(.seconds(1)) }
        let counts = noted.entries.filter { $0.line == "info client errors left out of the log" }
        #expect(counts.compactMap { $0.metadata["count"].flatMap { Int($0) } }.reduce(0, +) == 20 - refused)
    }
}
