import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A parser that clients feed, by its name.
struct HostileParser: Sendable, CustomTestStringConvertible {
    let name: String
    let parse: @Sendable (String) -> Void

    var testDescription: String { name }

    init(_ name: String, _ parse: @escaping @Sendable (String) -> Void) {
        self.name = name
        self.parse = parse
    }

    private static func multipart(_ body: String, piece: Int) {
        guard let boundary = try? MultipartBoundary("B") else { return }
        var limits = MultipartLimits()
        (limits.maxParts, limits.maxPartHeadSize, limits.maxSize) = (.max, .max, .max)
        var parser = MultipartParser(boundary: boundary, limits: limits)
        var input = ByteBuffer(string: body)
        while let slice = input.readSlice(length: min(piece, input.readableBytes)), slice.readableBytes > 0 {
            guard (try? parser.append(slice)) != nil else { return }
            while case .event? = try? parser.next() {}
        }
    }

    /// The lines of one field, read one by one and as one value.
    private static func fields(_ lines: String) {
        var limits = HTTPLimits()
        (limits.maxFieldSectionSize, limits.maxFieldCount) = (.max, .max)
        var decoder = RequestDecoder(limits: limits)
        var input = ByteBuffer(string: "GET /?a=b HTTP/1.1\r\nHost: h\r\n\(lines)\r\n")
        guard let head = try? decoder.next(&input) else { return }
        let fields = RequestFields(head: head)
        _ = (fields[.connection], fields[.cookie], fields[values: .cookie].count, fields.all)
    }

    static let all = [
        HostileParser("Connection") { fields("Connection: \($0)\r\n") },
        HostileParser("Transfer-Encoding") { fields("Transfer-Encoding: \($0)\r\n") },
        HostileParser("field lines") { fields($0) },
        HostileParser("query of a target") {
            _ = try? FormURLEncoded.decode(ByteBuffer(string: $0), maximumItems: .max)
        },
        HostileParser("Accept-Encoding") { _ = AcceptEncoding($0).choose(from: ["br", "gzip"]) },
        HostileParser("Accept") { _ = Negotiation.preferred(from: ["text/html", "a/b;c=d"], accept: $0) },
        HostileParser("Accept-Language") { _ = Negotiation.language(from: ["en", "de-CH"], accept: $0) },
        HostileParser("media type") { _ = MediaType(parsing: $0)?.description },
        HostileParser("media type parameters") { _ = MediaType(parsing: "a/b;c=" + $0)?.description },
        HostileParser("multipart boundary") {
            _ = try? MultipartBoundary(contentType: "multipart/form-data; boundary=" + $0)
        },
        HostileParser("disposition") { _ = FormDisposition(parsing: "form-data; name=a; filename=" + $0) },
        HostileParser("disposition, quoted") {
            _ = FormDisposition(parsing: "form-data; name=\"" + $0 + "\"")
        },
        HostileParser("disposition, extended") {
            _ = FormDisposition(parsing: "form-data; name=a; filename*=UTF-8''" + $0)
        },
        HostileParser("form") { _ = try? FormURLEncoded.decode($0, maximumItems: .max) },
        HostileParser("cookies") { _ = CookieField.parse($0, maximumCookies: .max) },
        HostileParser("range") { _ = ByteRange(parsing: "bytes=" + $0, length: 1000) },
        HostileParser("entity tags") { _ = EntityTagList(parsing: $0) },
        HostileParser("multipart") { multipart($0, piece: .max) },
        HostileParser("multipart body") {
            multipart("--B\r\nContent-Disposition: form-data; name=a\r\n\r\n" + $0, piece: 100)
        },
        HostileParser("multipart head") { multipart("--B\r\n" + $0, piece: 100) },
        HostileParser("multipart fields") {
            multipart(
                "--B\r\nContent-Disposition: form-data; name=a; filename=" + $0 + "\r\n\r\n", piece: 100)
        },
    ]
}

/// Text of a length, made of pieces that parsers look back or ahead for.
enum HostileText {
    static let patterns = [
        "\"", ",", ";", "\\", "=", "%", "\"\\", "\",", "a=\"", ";a=\"", ",a;b=\"", "\"a\",", ";a", ";a=",
        "a-", "-", "a",
        "%41", "%22", "a=&", "\r\n", "\r\n\r\n", "\r\n--", "\r\n--B", "--B\r\n", "\r\n--A", " ", " ,", "0-1,",
        "W/\"", "\"\"", "a/b,", "''", "A: b\r\n", "/", "Cookie: a=b\r\n", "\u{FF}", "a/b;q=\"", "\"\\\"\u{1}",
    ]

    static func make(_ pattern: String, length: Int) -> String {
        String(
            decoding: repeatElement(pattern.utf8, count: length / pattern.utf8.count).joined(), as: UTF8.self)
    }
}

@Suite("Parsers take time in proportion to their input", .serialized)
struct LinearTimeTests {
    @Test("CPU time grows with the input and not with its square", arguments: HostileParser.all)
    func cpuTime(parser: HostileParser) {
        for pattern in HostileText.patterns {
            let little = HostileText.make(pattern, length: 2 << 10)
            let much = HostileText.make(pattern, length: 16 << 10)
            // Eight times the input: a linear parser takes 8 times as long, a quadratic one 64 times. What takes less
            // than 8 ms, even in a debug build, is not worth a doubt.
            var time = Self.cpuSeconds { parser.parse(much) }
            var ratio = Double.infinity
            for _ in 0..<3 where time > 0.008 && ratio > 24 {
                let first = Self.cpuSeconds { for _ in 0..<4 { parser.parse(little) } } / 4
                time = Self.cpuSeconds { parser.parse(much) }
                ratio = min(ratio, time / max(first, 1e-6))
            }
            #expect(
                time <= 0.008 || ratio <= 24,
                "\(parser.name), \(pattern.debugDescription): \(time) s, ratio \(ratio)")
        }
    }

    private static func cpuSeconds(_ body: () -> Void) -> Double {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        body()
        return now() - start
    }

    #if DEBUG
        @Test("Field scanners pass each byte a bounded number of times", arguments: HostileParser.all)
        func steps(parser: HostileParser) {
            for pattern in HostileText.patterns {
                let steps = [4 << 10, 8 << 10].map { length in
                    let counter = ScanCounter()
                    let text = HostileText.make(pattern, length: length)
                    ScanCounter.$current.withValue(counter) { parser.parse(text) }
                    return counter.steps
                }
                // Not more than four times each byte, and twice the input is twice the work.
                #expect(
                    steps[1] <= 4 * (8 << 10) + 100, "\(parser.name), \(pattern.debugDescription): \(steps)")
                #expect(
                    steps[1] <= 2 * steps[0] + 200, "\(parser.name), \(pattern.debugDescription): \(steps)")
            }
        }
    #endif
}
