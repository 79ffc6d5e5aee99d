import Testing

@testable import HTTPKit

@Suite("RFC 3986 §2.1 percent-encoding")
struct PercentCodingTests {
    @Test(
        "RFC 3986 §2.1 decoding",
        arguments: [
            ("", ""), ("abc", "abc"), ("%41", "A"), ("a%2fb", "a/b"), ("a%2Fb", "a/b"), ("%252e", "%2e"),
            ("a+b", "a+b"), ("%C3%A9", "é"), ("%E2%82%AC", "€"), ("100%25", "100%"), ("%00", "\u{0}"),
        ])
    func decodes(text: String, expected: String) throws {
        #expect(try PercentCoding.decodeString(text) == expected)
    }

    @Test(
        "RFC 3986 §2.1 a bad escape is an error",
        arguments: [
            ("%", 0), ("%4", 0), ("ab%4", 2), ("%zz", 0), ("%4g", 0), ("%%41", 0), ("a%-1", 1), ("%41%", 3),
        ])
    func refuses(text: String, offset: Int) {
        #expect(throws: PercentCodingError.badEscape(at: offset)) { try PercentCoding.decodeString(text) }
    }

    @Test(
        "RFC 3629 §3 what is not UTF-8 is an error",
        arguments: ["%80", "%C3", "%C0%AF", "%ED%A0%80", "%F5%80%80%80", "a%ff"])
    func refusesOtherText(text: String) {
        #expect(throws: PercentCodingError.notUTF8) { try PercentCoding.decodeString(text) }
    }

    @Test("Forms write a space as +")
    func plus() throws {
        #expect(try PercentCoding.decodeString("a+b%2B", plusIsSpace: true) == "a b+")
    }

    @Test("RFC 3986 §2.3 encoding")
    func encodes() {
        #expect(PercentCoding.encode("a b/é~") == "a%20b%2F%C3%A9~")
        #expect(PercentCoding.encode("a:b@c/d?", allowed: .pathSegment) == "a:b@c%2Fd%3F")
        #expect(PercentCoding.encode("a b&c~", allowed: .form) == "a+b%26c%7E")
        #expect(PercentCoding.encode("a=b%20c\r\n\"<", allowed: .rawQuery) == "a=b%20c%0D%0A%22%3C")
    }

    @Test("Whatever is encoded decodes to itself")
    func roundTrip() throws {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<500 {
            let text = String(
                (0..<Int.random(in: 0...20, using: &random)).map { _ in
                    Character(Unicode.Scalar(UInt16.random(in: 0...0xD7FF, using: &random)) ?? "?")
                })
            for allowed in [PercentCoding.Allowed.unreserved, .pathSegment] {
                #expect(try PercentCoding.decodeString(PercentCoding.encode(text, allowed: allowed)) == text)
            }
            let form = PercentCoding.encode(text, allowed: .form)
            #expect(try PercentCoding.decodeString(form, plusIsSpace: true) == text)
        }
    }
}

/// A small generator whose sequence depends on the seed alone, so that a failure can be had again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_F491_4F6C_DD1D
    }

    /// Bytes of which most come from `alphabet`.
    mutating func bytes(_ alphabet: String, upTo maximum: Int) -> [UInt8] {
        let letters = Array(alphabet.utf8)
        return (0..<Int.random(in: 0...maximum, using: &self)).map { _ in
            let isAny = letters.isEmpty || UInt8.random(in: 0..<16, using: &self) == 0
            return isAny
                ? UInt8.random(in: 0...255, using: &self)
                : letters[Int.random(in: 0..<letters.count, using: &self)]
        }
    }
}
