import Testing

@testable import WSKit

/// Bytes and the offset of the first invalid one, or nil. `ends` is whether the text may end after them.
struct UTF8Case: Sendable {
    let bytes: [UInt8]
    let invalid: Int?
    var ends = true
}

private let cases: [UTF8Case] = [
    UTF8Case(bytes: [], invalid: nil),
    UTF8Case(bytes: Array("Hello-µ@ßöäüàá-UTF-8!!".utf8), invalid: nil),
    UTF8Case(bytes: Array("κόσμε 水 🎉 \u{10FFFF}\u{FFFF}\u{0}".utf8), invalid: nil),
    UTF8Case(bytes: [0x80], invalid: 0),
    UTF8Case(bytes: [0xBF, 0x61], invalid: 0),
    UTF8Case(bytes: [0xC0, 0x80], invalid: 0),
    UTF8Case(bytes: [0xC1, 0xBF], invalid: 0),
    UTF8Case(bytes: [0xC2], invalid: nil, ends: false),
    UTF8Case(bytes: [0xC2, 0x41], invalid: 1),
    UTF8Case(bytes: [0xE0, 0x80, 0x80], invalid: 1),
    UTF8Case(bytes: [0xE0, 0x9F, 0xBF], invalid: 1),
    UTF8Case(bytes: [0xE0, 0xA0, 0x80], invalid: nil),
    UTF8Case(bytes: [0xED, 0x9F, 0xBF], invalid: nil),
    UTF8Case(bytes: [0xED, 0xA0, 0x80], invalid: 1),
    UTF8Case(bytes: [0xEE, 0x80, 0x80], invalid: nil),
    UTF8Case(bytes: [0xEF, 0xBF, 0xBF], invalid: nil),
    UTF8Case(bytes: [0xE2, 0x82], invalid: nil, ends: false),
    UTF8Case(bytes: [0xE2, 0x82, 0xC0], invalid: 2),
    UTF8Case(bytes: [0xF0, 0x8F, 0xBF, 0xBF], invalid: 1),
    UTF8Case(bytes: [0xF0, 0x90, 0x80, 0x80], invalid: nil),
    UTF8Case(bytes: [0xF4, 0x8F, 0xBF, 0xBF], invalid: nil),
    UTF8Case(bytes: [0xF4, 0x90, 0x80, 0x80], invalid: 1),
    UTF8Case(bytes: [0xF5, 0x80], invalid: 0),
    UTF8Case(bytes: [0xF0, 0x9F, 0x8E], invalid: nil, ends: false),
    UTF8Case(bytes: [0xF0, 0x9F, 0x8E, 0x20], invalid: 3),
    UTF8Case(bytes: [0xFE], invalid: 0),
    UTF8Case(bytes: [0xFF], invalid: 0),
]

@Suite struct UTF8ValidatorTests {
    @Test("RFC 3629 §4 the first invalid byte, at every offset and split", arguments: cases)
    func position(_ test: UTF8Case) {
        for distance in [0, 1, 7, 8, 9, 15, 16, 31, 32, 33, 63, 64, 100] {
            let bytes = [UInt8](repeating: 0x61, count: distance) + test.bytes
            let expected = test.invalid.map { $0 + distance }
            for cut in 0...bytes.count {
                var validator = UTF8Validator()
                let head = Array(bytes[..<cut])
                let tail = Array(bytes[cut...])
                var found = validator.firstInvalid(in: head.span.bytes)
                if found == nil { found = validator.firstInvalid(in: tail.span.bytes).map { $0 + cut } }
                #expect(found == expected)
                if expected == nil { #expect(validator.isComplete == test.ends) }
            }
        }
    }

    @Test("agrees with the standard library on random bytes")
    func random() {
        var random = SplitMix(state: 11)
        // Bytes at the edges of the ranges are likely to be almost valid.
        let edges: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF,
            0xF0, 0xF1, 0xF4, 0xF5,
        ]
        var valid = 0
        for _ in 0..<200_000 {
            let bytes = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                edges.randomElement(using: &random) ?? 0
            }
            let expected = String(validating: bytes, as: UTF8.self) != nil
            valid += expected ? 1 : 0
            if UTF8Validator.isValid(bytes.span.bytes) != expected { Issue.record("\(bytes)") }
        }
        #expect(valid > 10_000)
    }

    @Test("every character")
    func everyScalar() {
        for number in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(number) else { continue }
            let bytes = Array(scalar.utf8)
            if !UTF8Validator.isValid(bytes.span.bytes) { Issue.record("U+\(String(number, radix: 16))") }
        }
    }
}
