import Testing

@testable import WSKit

/// Octets and the offset of the first that cannot continue; nil when all can. `ends` tells whether they may end.
struct UTF8Case: Sendable {
    let octets: [UInt8]
    let invalid: Int?
    var ends = true
}

private let cases: [UTF8Case] = [
    UTF8Case(octets: [], invalid: nil),
    UTF8Case(octets: Array("Hello-µ@ßöäüàá-UTF-8!!".utf8), invalid: nil),
    UTF8Case(octets: Array("κόσμε 水 🎉 \u{10FFFF}\u{FFFF}\u{0}".utf8), invalid: nil),
    UTF8Case(octets: [0x80], invalid: 0),
    UTF8Case(octets: [0xBF, 0x61], invalid: 0),
    UTF8Case(octets: [0xC0, 0x80], invalid: 0),
    UTF8Case(octets: [0xC1, 0xBF], invalid: 0),
    UTF8Case(octets: [0xC2], invalid: nil, ends: false),
    UTF8Case(octets: [0xC2, 0x41], invalid: 1),
    UTF8Case(octets: [0xE0, 0x80, 0x80], invalid: 1),
    UTF8Case(octets: [0xE0, 0x9F, 0xBF], invalid: 1),
    UTF8Case(octets: [0xE0, 0xA0, 0x80], invalid: nil),
    UTF8Case(octets: [0xED, 0x9F, 0xBF], invalid: nil),
    UTF8Case(octets: [0xED, 0xA0, 0x80], invalid: 1),
    UTF8Case(octets: [0xEE, 0x80, 0x80], invalid: nil),
    UTF8Case(octets: [0xEF, 0xBF, 0xBF], invalid: nil),
    UTF8Case(octets: [0xE2, 0x82], invalid: nil, ends: false),
    UTF8Case(octets: [0xE2, 0x82, 0xC0], invalid: 2),
    UTF8Case(octets: [0xF0, 0x8F, 0xBF, 0xBF], invalid: 1),
    UTF8Case(octets: [0xF0, 0x90, 0x80, 0x80], invalid: nil),
    UTF8Case(octets: [0xF4, 0x8F, 0xBF, 0xBF], invalid: nil),
    UTF8Case(octets: [0xF4, 0x90, 0x80, 0x80], invalid: 1),
    UTF8Case(octets: [0xF5, 0x80], invalid: 0),
    UTF8Case(octets: [0xF0, 0x9F, 0x8E], invalid: nil, ends: false),
    UTF8Case(octets: [0xF0, 0x9F, 0x8E, 0x20], invalid: 3),
    UTF8Case(octets: [0xFE], invalid: 0),
    UTF8Case(octets: [0xFF], invalid: 0),
]

@Suite struct UTF8ValidatorTests {
    @Test("RFC 3629 §4 the first octet that cannot continue, at every distance and cut", arguments: cases)
    func position(_ test: UTF8Case) {
        for distance in [0, 1, 7, 8, 9, 15, 16, 31, 32, 33, 63, 64, 100] {
            let octets = [UInt8](repeating: 0x61, count: distance) + test.octets
            let expected = test.invalid.map { $0 + distance }
            for cut in 0...octets.count {
                var validator = UTF8Validator()
                let head = Array(octets[..<cut])
                let tail = Array(octets[cut...])
                var found = validator.firstInvalid(in: head.span.bytes)
                if found == nil { found = validator.firstInvalid(in: tail.span.bytes).map { $0 + cut } }
                #expect(found == expected)
                if expected == nil { #expect(validator.isComplete == test.ends) }
            }
        }
    }

    @Test("agrees with the standard library on random octets")
    func random() {
        var random = SplitMix(state: 11)
        // Octets at the edges of the ranges make near misses frequent.
        let edges: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF,
            0xF0, 0xF1, 0xF4, 0xF5,
        ]
        var valid = 0
        for _ in 0..<200_000 {
            let octets = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                edges.randomElement(using: &random) ?? 0
            }
            let expected = String(validating: octets, as: UTF8.self) != nil
            valid += expected ? 1 : 0
            if UTF8Validator.isValid(octets.span.bytes) != expected { Issue.record("\(octets)") }
        }
        #expect(valid > 10_000)
    }

    @Test("every character")
    func everyScalar() {
        for number in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(number) else { continue }
            let octets = Array(scalar.utf8)
            if !UTF8Validator.isValid(octets.span.bytes) { Issue.record("U+\(String(number, radix: 16))") }
        }
    }
}
