import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

/// What a parser made of a body, in short: `name/filename/type{data}` for each part, then `end`.
private func read(_ body: [UInt8], boundary: String, limits: MultipartLimits = .init(), pieces: [Range<Int>])
    throws
    -> String
{
    var parser = MultipartParser(boundary: try MultipartBoundary(boundary), limits: limits)
    var result = ""
    func drain() throws {
        while case .event(let event) = try parser.next() {
            switch event {
            case .partBegin(let head):
                result += "\(head.name)/\(head.filename ?? "-")/\(head.contentType ?? "-"){"
            case .data(let data):
                #expect(data.readableBytes > 0)
                result += String(buffer: data)
            case .partEnd: result += "}"
            case .end: result += "end"
            }
        }
    }
    for piece in pieces {
        try parser.append(ByteBuffer(bytes: body[piece]))
        try drain()
    }
    try parser.finish()
    return result
}

private func read(_ body: String, boundary: String = "B", limits: MultipartLimits = .init()) throws -> String
{
    let bytes = Array(body.utf8)
    return try read(bytes, boundary: boundary, limits: limits, pieces: [0..<bytes.count])
}

private func disposition(_ rest: String) -> String { "Content-Disposition: form-data; \(rest)\r\n" }

private let bodies: [(name: String, body: String, expected: String)] = [
    ("one field", "--B\r\n\(disposition("name=a"))\r\n1\r\n--B--", "a/-/-{1}end"),
    ("one field, line end behind", "--B\r\n\(disposition("name=\"a\""))\r\n1\r\n--B--\r\n", "a/-/-{1}end"),
    (
        "two fields",
        "--B\r\n\(disposition("name=a"))\r\n1\r\n--B\r\n\(disposition("name=b"))\r\n2\r\n--B--\r\n",
        "a/-/-{1}b/-/-{2}end"
    ), ("empty content", "--B\r\n\(disposition("name=a"))\r\n\r\n--B--\r\n", "a/-/-{}end"),
    (
        "a file",
        "--B\r\n\(disposition("name=a; filename=x.txt"))Content-Type: text/plain\r\n\r\nhello\r\n--B--\r\n",
        "a/x.txt/text/plain{hello}end"
    ),
    (
        "preamble and epilogue (RFC 2046 §5.1.1)",
        "preamble\r\n-- B\r\nmore\r\n--B \t\r\n\(disposition("name=a"))\r\n1\r\n--B--  \r\nepilogue\r\n--B\r\n",
        "a/-/-{1}end"
    ),
    (
        "what only looks like a delimiter",
        "--B\r\n\(disposition("name=a"))\r\n\r\n--A\r\n-B\r\r\n\r\r\n--\r--B\n--B\r\n--\r\n--B--\r\n",
        "a/-/-{\r\n--A\r\n-B\r\r\n\r\r\n--\r--B\n--B\r\n--}end"
    ),
    (
        "a head without content (RFC 2046 §5.1.1)",
        "--B\r\n\(disposition("name=a"))\r\n--B\r\n\(disposition("name=b; filename=x"))\r\n--B--\r\n",
        "a/-/-{}b/x/-{}end"
    ),
    (
        "content that begins like a delimiter",
        "--B\r\n\(disposition("name=a"))\r\n--A\r\n-B\r\n--B--",
        "a/-/-{--A\r\n-B}end"
    ),
    (
        "content that is a line end",
        "--B\r\n\(disposition("name=a"))\r\n\r\n\r\n--B--", "a/-/-{\r\n}end"
    ),
    ("no parts", "--B--\r\n", "end"), ("no parts, preamble", "x\r\n--B--", "end"),
]

@Suite("RFC 7578 multipart/form-data")
struct MultipartTests {
    @Test("RFC 2046 §5.1.1 bodies, split at every place", arguments: bodies)
    func everySplit(name: String, body: String, expected: String) throws {
        let bytes = Array(body.utf8)
        #expect(try read(body) == expected)
        for split in 0...bytes.count {
            #expect(try read(bytes, boundary: "B", pieces: [0..<split, split..<bytes.count]) == expected)
        }
        #expect(try read(bytes, boundary: "B", pieces: bytes.indices.map { $0..<$0 + 1 }) == expected)
    }

    @Test("A body of several pieces that share one storage is not disturbed")
    func slices() throws {
        let body = ByteBuffer(string: "--B\r\n\(disposition("name=a"))\r\nhello\r\n-world\r\n--B--")
        var parser = MultipartParser(boundary: try MultipartBoundary("B"))
        var text = ""
        for start in stride(from: 0, to: body.readableBytes, by: 5) {
            let slice = body.getSlice(at: start, length: min(5, body.readableBytes - start))
            try parser.append(try #require(slice))
            while case .event(let event) = try parser.next() {
                if case .data(let data) = event { text += String(buffer: data) }
            }
        }
        #expect(text == "hello\r\n-world")
    }

    @Test(
        "RFC 7578 §4.2 names and file names",
        arguments: [
            ("name=a", "a/-"), ("name=\"a b\"", "a b/-"), ("NAME=a", "a/-"), ("name=\"a%22b\"", "a\"b/-"),
            ("name=\"a\\\"b\"", "a\"b/-"), ("name=\"a%0D%0Ab\"", "a\r\nb/-"), ("name=\"a%20b\"", "a%20b/-"),
            ("name=a; filename=\"\"", "a/"), ("name=a; filename=\"x y.txt\"", "a/x y.txt"),
            ("name=a; filename=\"C:\\dir\\x.txt\"", "a/x.txt"),
            ("name=a; filename=\"../../etc/passwd\"", "a/passwd"),
            ("name=a; filename=\"..\"", "a/"), ("name=a; filename=\"a\\\\b\"", "a/b"),
            ("name=a; filename=\"a%0D%0Ab\"", "a/ab"), ("name=a; filename=\"é.txt\"", "a/é.txt"),
            ("name=a; filename=x; filename*=utf-8''y", "a/y"),
            ("name=a; filename*=UTF-8''%e2%82%ac%20rates.txt", "a/€ rates.txt"),
            ("name=a; filename*=utf-8'en'y; filename=x", "a/y"), ("name=a; filename* = UTF-8''y", "a/y"),
            ("name=a; filename*=ISO-8859-1''%A3%2etxt", "a/£.txt"),
            ("name=a; filename*=\"UTF-8''y.txt\"", "a/y.txt"),
            ("name=a; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "a/passwd"),
            ("name=a; filename*=UTF-8''a%0D%0Ab", "a/ab"), ("name=a; filename*=UTF-8''..", "a/"),
            ("name=a; filename=x; filename*=UTF-8''%zz", "a/x"),
            ("name=a; filename=x; filename*=UTF-8''%ff", "a/x"),
            ("name=a; filename=x; filename*=EBCDIC''y", "a/x"), ("name=a; filename=x; filename*=y", "a/x"),
            ("name=a; filename*=UTF-8''%zz", "a/"), ("name = a ; filename = \"x\"", "a/x"),
            ("filename=x; name=a", "a/x"),
            ("name=a;", "a/-"),
            ("name=\"\"", "/-"), ("name=\"a;b=c\"", "a;b=c/-"),
        ])
    func dispositions(rest: String, expected: String) throws {
        #expect(try read("--B\r\n\(disposition(rest))\r\n\r\n--B--") == "\(expected)/-{}end")
    }

    @Test(
        "RFC 7578 §4.2 a part without a name is refused",
        arguments: [
            "", "Content-Type: text/plain\r\n", disposition("filename=x"), disposition("name=\"a"),
            disposition("name"), disposition("name=a; name=b"), disposition("name=a; filename=x; filename=y"),
            "Content-Disposition: attachment; name=a\r\n", disposition("name=a") + disposition("name=b"),
            disposition("name=a b"), disposition("name=a; filename*=UTF-8''x; filename*=UTF-8''y"),
        ])
    func unnamed(fields: String) {
        #expect(throws: MultipartError.disposition(part: 1)) { try read("--B\r\n\(fields)\r\n\r\n--B--") }
    }

    @Test(
        "RFC 7578 §4.8 malformed field lines",
        arguments: [
            "a\r\n", ": a\r\n", "a b: c\r\n", "a : c\r\n", "a: b\rc\r\n", "a: b\nc\r\n", "a: \u{0}\r\n",
            " a: b\r\n",
        ])
    func fieldLines(line: String) {
        #expect(throws: MultipartError.fieldLine(part: 1)) {
            try read("--B\r\n\(line)\(disposition("name=a"))\r\n\r\n--B--")
        }
    }

    @Test(
        "RFC 2046 §5.1.1 a delimiter ends its line",
        arguments: ["--Bx\r\n", "--B\n", "--B-\r\n", "--B\rx", "--B  x\r\n"])
    func delimiters(start: String) {
        #expect(throws: MultipartError.delimiter) {
            try read("\(start)\(disposition("name=a"))\r\n1\r\n--B--")
        }
    }

    @Test("A body that ends early is refused at every place")
    func incomplete() {
        let body = Array("--B\r\n\(disposition("name=a"))\r\n1\r\n--B--".utf8)
        for end in 0..<body.count {
            #expect(throws: MultipartError.incomplete) {
                try read(Array(body[..<end]), boundary: "B", pieces: [0..<end])
            }
        }
    }

    @Test("Limits on parts, part heads and the whole")
    func limits() {
        var limits = MultipartLimits()
        limits.maxParts = 1
        let part = "--B\r\n\(disposition("name=a"))\r\n1\r\n"
        #expect(throws: Never.self) { try read(part + "--B--", limits: limits) }
        #expect(throws: MultipartError.tooManyParts(limit: 1)) {
            try read(part + part + "--B--", limits: limits)
        }

        limits = MultipartLimits()
        let head = disposition("name=a")
        limits.maxPartHeadSize = head.utf8.count
        #expect(throws: Never.self) { try read(part + "--B--", limits: limits) }
        limits.maxPartHeadSize -= 1
        #expect(throws: MultipartError.partHeadTooLarge(limit: head.utf8.count - 1, part: 1)) {
            try read(part + "--B--", limits: limits)
        }
        limits.maxPartHeadSize = 100
        let endless = "--B\r\nX: " + String(repeating: "x", count: 200)
        #expect(throws: MultipartError.partHeadTooLarge(limit: 100, part: 1)) {
            try read(endless, limits: limits)
        }
        let padding = "--B" + String(repeating: " ", count: 200)
        #expect(throws: MultipartError.partHeadTooLarge(limit: 100, part: 1)) {
            try read(padding, limits: limits)
        }

        limits = MultipartLimits()
        limits.maxSize = part.utf8.count + 4
        #expect(throws: MultipartError.tooLarge(limit: part.utf8.count + 4, size: part.utf8.count + 5)) {
            try read(part + "--B--", limits: limits)
        }
        #expect(MultipartError.tooManyParts(limit: 1).status == .contentTooLarge)
        #expect(MultipartError.delimiter.status == .badRequest)
    }

    @Test(
        "RFC 2046 §5.1.1 boundaries",
        arguments: [
            ("multipart/form-data; boundary=abc", "abc"), ("Multipart/Form-Data;BOUNDARY=\"a b:c\"", "a b:c"),
            ("multipart/form-data; charset=x; boundary=\"'()+_,-./:=?\"", "'()+_,-./:=?"),
            ("multipart/form-data; boundary=a/b:c=d", "a/b:c=d"),
            ("multipart/form-data; boundary=----=_Part_1/2?(3) ; charset=utf-8", "----=_Part_1/2?(3)"),
            ("multipart/form-data ; boundary = abc", "abc"),
            ("multipart/form-data; boundary=a/b c", nil), ("multipart/form-data; boundary=a,b", nil),
            ("multipart/form-data; boundary=a\"b\"", nil),
            ("multipart/form-data", nil), ("multipart/form-data; boundary=\"\"", nil),
            ("multipart/form-data; boundary=\"a \"", nil), ("multipart/form-data; boundary=\"a\\\"b\"", nil),
            ("multipart/form-data; boundary=a; boundary=b", nil), ("multipart/mixed; boundary=a", nil),
            ("text/plain", nil), ("", nil),
            (
                "multipart/form-data; boundary=" + String(repeating: "x", count: 70),
                String(repeating: "x", count: 70)
            ),
            ("multipart/form-data; boundary=" + String(repeating: "x", count: 71), nil),
        ] as [(String, String?)])
    func boundaries(field: String, expected: String?) {
        #expect((try? MultipartBoundary(contentType: field))?.value == expected)
    }

    @Test("Random bodies are read without harm, and the same whatever the split")
    func fuzz() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<2000 {
            var bytes = Array(
                "--B\r\n\(disposition("name=a"))\r\n1\r\n--B\r\n\(disposition("name=b"))\r\n2\r\n--B--".utf8)
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = Array("\r\n-B:; \"".utf8).randomElement(using: &random) ?? 0
                case 1: bytes.remove(at: place)
                default:
                    bytes.insert(
                        contentsOf: Array("\r\n--B".utf8).prefix(Int.random(in: 1...5, using: &random)),
                        at: place)
                }
            }
            let split = Int.random(in: 0...bytes.count, using: &random)
            let whole = Result { try read(bytes, boundary: "B", pieces: [0..<bytes.count]) }
            let halves = Result { try read(bytes, boundary: "B", pieces: [0..<split, split..<bytes.count]) }
            switch (whole, halves) {
            case (.success(let one), .success(let other)): #expect(one == other)
            case (.failure(let one), .failure(let other)):
                #expect(one as? MultipartError == other as? MultipartError)
            default:
                Issue.record(
                    "\(whole) but split at \(split) \(halves): \(String(decoding: bytes, as: UTF8.self))")
            }
        }
    }
}
