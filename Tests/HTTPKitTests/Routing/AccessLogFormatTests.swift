import HTTPTypes
import Synchronization
import Testing

@testable import HTTPKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("Lines of an access log")
struct AccessLogFormatTests {
    private let entry = AccessLogEntry(
        time: HTTPDate(secondsSinceEpoch: 784_111_777), address: "192.0.2.1", method: "GET", target: "/a?b=c",
        route: "/{x}", version: "HTTP/1.1", status: 200, bytes: 5, milliseconds: 12, id: "7f", referer: nil,
        userAgent: "curl/8", isComplete: true)

    @Test("in each format")
    func formats() {
        let common = #"192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] "GET /a?b=c HTTP/1.1" 200 5"#
        #expect(entry.line(.common) == common)
        #expect(entry.line(.combined) == common + #" "-" "curl/8""#)
        #expect(
            entry.line(.json)
                == #"{"time":"1994-11-06T08:49:37Z","address":"192.0.2.1","method":"GET","path":"/a?b=c","route":"/{x}","version":"HTTP/1.1","status":200,"bytes":5,"ms":12,"id":"7f","userAgent":"curl/8"}"#
        )
        var aborted = entry
        (aborted.address, aborted.bytes, aborted.status, aborted.isComplete) = (nil, 0, 0, false)
        #expect(aborted.line(.common).hasPrefix("- - - [") && aborted.line(.common).hasSuffix(" 0 -"))
        #expect(aborted.line(.json).hasSuffix(#","end":"aborted"}"#))
    }

    @Test("nothing that a client sends ends a line, a quoted text or a JSON string")
    func hostile() {
        for scalar in (0...0x24F).compactMap(Unicode.Scalar.init) + [
            "\u{2028}", "\u{2029}", "\u{202E}", "\u{1F600}",
        ] {
            var hostile = entry
            hostile.userAgent = "a\(Character(scalar))b"
            hostile.target = "/\(Character(scalar))"
            for format in AccessLogFormat.allCases {
                let line = hostile.line(format)
                #expect(
                    !line.unicodeScalars.contains { $0.value < 0x20 || $0 == "\u{2028}" || $0 == "\u{85}" })
            }
            let quotes = hostile.line(.combined).replacing("\\\\", with: "").replacing("\\\"", with: "")
            #expect(quotes.count { $0 == "\"" } == 6)
        }
        var hostile = entry
        hostile.userAgent = "\"\\\n\u{1}"
        #expect(hostile.line(.json).contains(#""userAgent":"\"\\\u000a\u0001""#))
        #expect(hostile.line(.combined).hasSuffix(#" "\"\\\x0a\x01""#))
    }

    private final class Lines: Sendable {
        private let noted = Mutex<[String]>([])
        var all: [String] { noted.withLock { $0 } }
        func add(_ line: String) { noted.withLock { $0.append(line) } }
    }

    private func lines(
        sampling: Double = 1, includesQuery: Bool = false, _ targets: [String]
    ) throws -> [String] {
        let lines = Lines()
        let table = RouteTable()
        let routes = RouteGroup(table: table)
        routes.use(
            .accessLog(.common, sampling: sampling, includesQuery: includesQuery) { lines.add($0) },
            .requestID)
        routes.get("/ok") { _ in .text("12345") }
        let router = try table.router()
        try withWire({ try await router.handler(for: $0)($0) }) { wire in
            for target in targets { _ = wire.exchange("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n") }
        }
        return lines.all
    }

    @Test("each request is a line, without its query unless it is asked for")
    func requests() throws {
        let plain = try lines(["/ok?token=secret", "/missing"])
        #expect(plain.count == 2 && plain[0].hasSuffix(#""GET /ok HTTP/1.1" 200 5"#))
        #expect(plain[1].contains(#""GET /missing HTTP/1.1" 404 "#))
        #expect(try lines(includesQuery: true, ["/ok?a=b"])[0].contains("GET /ok?a=b HTTP"))
    }

    @Test("sampling leaves out what went well, and nothing else")
    func sampling() throws {
        #expect(try lines(sampling: 0, ["/ok", "/missing", "/ok"]).count == 1)
        let half = try lines(sampling: 0.5, Array(repeating: "/ok", count: 400)).count
        #expect((100...300).contains(half))
    }

    @Test("lines come out whole and in order, and a reader that is slow or gone holds nobody up")
    func output() async throws {
        var ends: [CInt] = [0, 0]
        try #require(pipe(&ends) == 0)
        let output = AccessLogOutput(descriptor: ends[1])
        for number in 0..<100 { output.write("line \(number)") }
        await output.flush(within: .seconds(60))
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(ends[0], &bytes, bytes.count)
        let expected = (0..<100).map { "line \($0)\n" }.joined()
        #expect(String(decoding: bytes.prefix(count), as: UTF8.self) == expected)
        // Nobody reads: the pipe is full soon, and so is what may wait.
        let line = String(repeating: "x", count: 100_000)
        for _ in 0..<120 { output.write(line) }
        #expect(output.leftOut > 0)
        await output.flush(within: .milliseconds(1))
        // Nobody can read any more. Without SIGPIPE, the write fails.
        signal(SIGPIPE, SIG_IGN)
        close(ends[0])
        await output.flush(within: .seconds(60))
        #expect(output.leftOut >= 100)
        close(ends[1])
    }
}
