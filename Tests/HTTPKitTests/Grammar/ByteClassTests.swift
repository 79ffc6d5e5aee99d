import Testing

@testable import HTTPKit

@Suite("RFC 9110 §5.6.2, RFC 3986 §2.3: classes of octets, each octet of 256")
struct ByteClassTests {
    private static let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    private static let digits = "0123456789"

    private func members(_ isMember: (UInt8) -> Bool) -> Set<UInt8> {
        Set((UInt8.min...UInt8.max).filter(isMember))
    }

    @Test("tchar")
    func token() {
        #expect(
            members { $0.isTokenCharacter }
                == Set((Self.letters + Self.digits + "!#$%&'*+-.^_`|~").utf8))
    }

    @Test("unreserved, the characters of a registered name")
    func host() {
        #expect(members { $0.isHostCharacter } == Set((Self.letters + Self.digits + "-._~").utf8))
    }

    @Test("the end of a token: each octet at each place of spans of each length up to 20")
    func endOfToken() {
        for length in 0...20 {
            for place in 0..<max(1, length) {
                for byte in UInt8.min...UInt8.max where length > 0 {
                    var octets = Array("Accept-Encoding09_azAZ".utf8.prefix(length))
                    octets[place] = byte
                    let expected = octets.firstIndex { !$0.isTokenCharacter } ?? length
                    #expect(octets.span.endOfToken(from: 0) == expected)
                    if place > 0 { #expect(octets.span.endOfToken(from: 1) == expected) }
                }
            }
            #expect([UInt8]().span.endOfToken(from: 0) == 0)
        }
    }

    @Test("VCHAR, DIGIT, ALPHA, OWS")
    func small() {
        #expect(members { $0.isVisible } == Set(0x21...0x7E))
        #expect(members { $0.isDigit } == Set(Self.digits.utf8))
        #expect(members { $0.isAlpha } == Set(Self.letters.utf8))
        #expect(members { $0.isBlank } == [0x20, 0x09])
    }
}
