import NIOCore
import Testing

@testable import HTTPKit

@Suite("RFC 9110 §5.6.7 dates")
struct HTTPDateTests {
    private let now = HTTPDate(secondsSinceEpoch: 1_800_000_000)  // 15 January 2027

    @Test(
        "RFC 9110 §5.6.7 IMF-fixdate",
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (Int64.max, "Fri, 31 Dec 9999 23:59:59 GMT"), (Int64.min, "Mon, 01 Jan 0001 00:00:00 GMT"),
        ])
    func formats(seconds: Int64, expected: String) {
        let date = HTTPDate(secondsSinceEpoch: seconds)
        #expect(date.description == expected)
        var buffer = ByteBuffer(string: "Date: ")
        date.write(into: &buffer)
        #expect(String(buffer: buffer) == "Date: " + expected)
    }

    @Test(
        "RFC 9110 §5.6.7 the three formats are read",
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777), ("Wed Nov 16 08:49:37 1994", 784_975_777),
            ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
        ])
    func parses(text: String, seconds: Int64) {
        #expect(HTTPDate(parsing: text, now: now)?.secondsSinceEpoch == seconds)
    }

    @Test(
        "RFC 9110 §5.6.7 a year of two digits lies at most 50 years ahead",
        arguments: [
            ("26", 2026), ("27", 2027), ("76", 2076), ("77", 1977), ("78", 1978), ("99", 1999), ("00", 2000),
        ])
    func twoDigitYears(digits: String, year: Int) throws {
        let date = try #require(HTTPDate(parsing: "Monday, 20-Jan-\(digits) 00:00:00 GMT", now: now))
        #expect(date.description.contains(" \(year) "))
    }

    @Test("RFC 9110 §5.6.7 near a century's end a year of two digits may be in the next one")
    func nextCentury() throws {
        let late = HTTPDate(secondsSinceEpoch: 3_786_912_000)  // 2090
        let date = try #require(HTTPDate(parsing: "Monday, 20-Jan-10 00:00:00 GMT", now: late))
        #expect(date.description.contains(" 2110 "))
    }

    @Test(
        "RFC 9110 §5.6.7 anything else is no date",
        arguments: [
            "", "0", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
            "sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 29 Feb 1900 08:49:37 GMT", "Sonntag, 06-Nov-94 08:49:37 GMT", "Sun Nov 6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        ])
    func refuses(text: String) {
        #expect(HTTPDate(parsing: text, now: now) == nil)
    }

    @Test("Every date that is written is read as the same")
    func roundTrip() {
        var random = SeededGenerator(seed: 2)
        for _ in 0..<2000 {
            let date = HTTPDate(
                secondsSinceEpoch: .random(in: -62_135_596_800...253_402_300_799, using: &random))
            #expect(HTTPDate(parsing: date.description, now: now) == date)
        }
    }

    @Test("Random text is read without harm")
    func fuzz() {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<3000 {
            var text = Array("Sun, 06 Nov 1994 08:49:37 GMT".utf8)
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                text[Int.random(in: 0..<text.count, using: &random)] = UInt8.random(
                    in: 0...127, using: &random)
            }
            if let date = HTTPDate(parsing: String(decoding: text, as: UTF8.self), now: now) {
                #expect(HTTPDate(parsing: date.description, now: now) == date)
            }
        }
    }
}
