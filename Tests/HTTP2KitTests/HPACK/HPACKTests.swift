import HTTPKit
import HTTPTypes
import NIOCore
import Testing

@testable import HTTP2Kit

/// The bytes that a text of hexadecimal digits stands for.
func hex(_ text: String) -> [UInt8] {
    let digits = text.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
}

extension FieldSection {
    /// The fields as text, `name: value`.
    var lines: [String] {
        slots.map {
            "\(buffer.string($0.name(from: 0))): \(buffer.string($0.value(from: 0)))"
        }
    }
}

extension HPACKDecoder {
    mutating func lines(_ block: [UInt8]) throws(HPACKError) -> [String] {
        var section = FieldSection(maxSize: 64 << 10, maxCount: 100)
        try decode(block.span, into: &section)
        return section.lines
    }
}

@Suite struct HPACKDecoderTests {
    static let first = [
        ":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com",
    ]
    static let second = first + ["cache-control: no-cache"]
    static let third = [
        ":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com",
        "custom-key: custom-value",
    ]

    @Test("the requests of RFC 7541 C.3, without Huffman code")
    func plainRequests() throws {
        var decoder = HPACKDecoder()
        let lines1 = try decoder.lines(hex("828684410f7777772e6578616d706c652e636f6d"))
        let lines2 = try decoder.lines(hex("828684be58086e6f2d6361636865"))
        let lines3 = try decoder.lines(hex("828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565"))
        #expect(lines1 == Self.first)
        #expect(lines2 == Self.second)
        #expect(lines3 == Self.third)
    }

    @Test("the requests of RFC 7541 C.4, in Huffman code")
    func huffmanRequests() throws {
        var decoder = HPACKDecoder()
        let lines1 = try decoder.lines(hex("828684418cf1e3c2e5f23a6ba0ab90f4ff"))
        let lines2 = try decoder.lines(hex("828684be5886a8eb10649cbf"))
        let lines3 = try decoder.lines(hex("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"))
        #expect(lines1 == Self.first)
        #expect(lines2 == Self.second)
        #expect(lines3 == Self.third)
    }

    @Test("the responses of RFC 7541 C.6, with evictions from a table of 256 bytes")
    func evictions() throws {
        var decoder = HPACKDecoder(tableSize: 256)
        let lines1 = try decoder.lines(
            hex(
                "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff"
                    + "6e919d29ad171863c78f0b97c8e9ae82ae43d3"))
        let lines2 = try decoder.lines(hex("4883640effc1c0bf"))
        let lines3 = try decoder.lines(
            hex(
                "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b3"
                    + "35dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007"))
        #expect(lines1.first == ":status: 302")
        #expect(lines2 == [":status: 307"] + lines1.dropFirst())
        #expect(lines3.contains("content-encoding: gzip"))
        #expect(lines3.last == "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1")
    }

    @Test(
        "malformed blocks",
        arguments: [
            ("80", HPACKError.index(0)), ("be", .index(62)), ("ff", .truncated),
            ("ff80808080808080", .integerTooLarge), ("ffffffffff7f", .integerTooLarge),
            ("4105", .truncated), ("400a6375", .truncated), ("7e0161", .index(62)),
            // A table larger than was allowed, and a change of it behind a field.
            ("3fe21f", .tableSize(4097)), ("823f00", .misplacedTableSize),
            // Huffman: padding of eight bits, padding of zeros, EOS.
            ("4182f8ff", .huffman), ("418100", .huffman), ("4184ffffffff", .huffman),
        ])
    func malformed(_ block: String, _ error: HPACKError) {
        var decoder = HPACKDecoder()
        #expect(throws: error) { try decoder.lines(hex(block)) }
    }

    @Test("an entry that is larger than the table empties it")
    func largeEntry() throws {
        var decoder = HPACKDecoder(tableSize: 64)
        let small = try decoder.lines(hex("4001610162"))
        let again = try decoder.lines(hex("be"))
        _ = try decoder.lines([0x40, 0x01, 0x61, 0x40] + Array(repeating: 0x62, count: 64))
        #expect(small == again)
        #expect(throws: HPACKError.index(62)) { try decoder.lines(hex("be")) }
    }

    @Test("fields above the limits are not kept, but the table has them")
    func limits() throws {
        var decoder = HPACKDecoder()
        var section = FieldSection(maxSize: 8, maxCount: 100)
        try decoder.decode(hex("4001610162 4004616263640461626364").span, into: &section)
        let overflow = section.overflow
        let kept = section.lines
        let lines = try decoder.lines(hex("bebf"))
        #expect(overflow == .size)
        #expect(kept == ["a: b"])
        #expect(lines == ["abcd: abcd", "a: b"])
    }

    @Test("a table of size 0 keeps nothing, and one may become larger again")
    func resize() throws {
        var decoder = HPACKDecoder()
        _ = try decoder.lines(hex("4001610162"))
        _ = try decoder.lines(hex("203fe11f"))
        #expect(throws: HPACKError.index(62)) { try decoder.lines(hex("be")) }
    }
}

@Suite struct HuffmanTests {
    /// Encodes by the table of codes, bit by bit, with the padding of RFC 7541 §5.2.
    static func encode(_ text: [UInt8]) -> [UInt8] {
        var bits: [UInt8] = []
        for byte in text {
            let code = HuffmanCode.codes[Int(byte)]
            for place in (0..<Int(code.length)).reversed() {
                bits.append(UInt8(code.bits >> UInt32(place) & 1))
            }
        }
        while bits.count % 8 != 0 { bits.append(1) }
        return stride(from: 0, to: bits.count, by: 8).map { start in
            bits[start..<start + 8].reduce(0) { $0 << 1 | $1 }
        }
    }

    static func decode(_ bytes: [UInt8]) -> [UInt8]? {
        var buffer = ByteBuffer()
        var isValid = false
        buffer.writeWithOutputRawSpan(minimumWritableBytes: Huffman.maxDecodedCount(bytes.count)) {
            isValid = Huffman.shared.decode(bytes.span, into: &$0)
        }
        return isValid ? Array(buffer.readableBytesView) : nil
    }

    @Test("every byte, alone, and in front of and behind every other one")
    func allPairs() {
        for first in UInt8.min...UInt8.max {
            #expect(Self.decode(Self.encode([first])) == [first])
            for second in UInt8.min...UInt8.max {
                let text = [first, second, first]
                if Self.decode(Self.encode(text)) != text { Issue.record("\(text) is not decoded") }
            }
        }
    }

    @Test("the codes are those of a complete prefix code")
    func kraft() {
        let sum = HuffmanCode.codes.reduce(0.0) { $0 + 1 / Double(UInt64(1) << UInt64($1.length)) }
        #expect(sum == 1)
        #expect(HuffmanCode.codes.count == 257)
    }
}

@Suite struct HPACKEncoderTests {
    private func encode(
        _ encoder: inout HPACKEncoder, status: Int = 200, _ fields: HTTPFields, date: Int64 = 0
    ) -> [UInt8] {
        var out = ByteBuffer()
        encoder.encode(
            status: status, fields: fields, contentLength: 5, date: DateLine(secondsSinceEpoch: date),
            into: &out)
        return Array(out.readableBytesView)
    }

    static let fields: HTTPFields = [
        .contentType: "text/plain", .cacheControl: "no-cache", .setCookie: "a=b", .eTag: "\"1\"",
        .connection: "close",
    ]

    @Test("what is written is what a client reads, however often; the second head is smaller")
    func roundTrip() throws {
        var encoder = HPACKEncoder()
        var decoder = HPACKDecoder()
        var sizes: [Int] = []
        for date in [Int64(0), 0, 1, 1, 100] {
            let block = encode(&encoder, Self.fields, date: date)
            sizes.append(block.count)
            let lines = try decoder.lines(block)
            #expect(lines.count == 7)
            #expect(lines.first == ":status: 200")
            #expect(lines.contains("content-length: 5"))
            #expect(lines.contains("set-cookie: a=b"))
            #expect(lines.contains("content-type: text/plain"))
            #expect(lines.contains { $0.hasPrefix("date: Thu, 01 Jan 1970 00:0") })
        }
        #expect(sizes[1] < sizes[0] / 2)
        #expect(sizes[3] == sizes[1])
    }

    @Test("values that change from response to response never confuse the client's table")
    func changingValues() throws {
        var encoder = HPACKEncoder()
        var decoder = HPACKDecoder()
        for round in 0..<2000 {
            var fields: HTTPFields = [.contentType: "text/\(round % 7)"]
            for index in 0..<round % 40 {
                let name = try #require(HTTPField.Name("x-\(index)"))
                fields[name] = String(repeating: "v", count: round % 300) + "\(round / (index + 1))"
            }
            let lines = try decoder.lines(
                encode(&encoder, status: 100 + round % 500, fields, date: Int64(round / 10)))
            let expected = fields.map { "\($0.name.canonicalName): \($0.value)" }
            #expect(Array(lines.suffix(expected.count)) == expected)
            #expect(lines.first == ":status: \(100 + round % 500)")
        }
    }

    @Test("the client's table may become smaller, vanish, and come back", arguments: [0, 100, 1000, 100_000])
    func tableSize(_ size: Int) throws {
        var encoder = HPACKEncoder()
        var decoder = HPACKDecoder(tableSize: max(4096, size))
        _ = try decoder.lines(encode(&encoder, Self.fields))
        encoder.setTableSize(0)
        encoder.setTableSize(size)
        for _ in 0..<3 {
            let lines = try decoder.lines(encode(&encoder, Self.fields))
            #expect(lines.count == 7)
        }
        encoder.setTableSize(4096)
        let lines = try decoder.lines(encode(&encoder, Self.fields))
        #expect(lines.contains("cache-control: no-cache"))
    }
}
