import HTTPTypes
import Testing

@testable import HTTPKit

private let now = HTTPDate(secondsSinceEpoch: 784_200_000)
private let modified = HTTPDate(secondsSinceEpoch: 784_111_777)
private let same = "Sun, 06 Nov 1994 08:49:37 GMT"
private let earlier = "Sun, 06 Nov 1994 08:49:36 GMT"
private let later = "Sun, 06 Nov 1994 08:49:38 GMT"

@Suite("RFC 9110 §13 conditional requests")
struct ConditionalRequestTests {
    private let strong = Validators(entityTag: EntityTag(opaque: "a", isWeak: false), lastModified: modified)
    private let weak = Validators(entityTag: EntityTag(opaque: "a", isWeak: true), lastModified: modified)

    @Test(
        "RFC 9110 §13.1.1 If-Match compares strongly",
        arguments: [
            ("\"a\"", .proceed, .failed), ("*", .proceed, .proceed), ("\"b\"", .failed, .failed),
            ("W/\"a\"", .failed, .failed), ("\"b\", \"a\"", .proceed, .failed), ("", .failed, .failed),
            ("a", .failed, .failed), ("\"b\",,  \"a\" ,", .proceed, .failed),
            ("\"x,y\", \"a\"", .proceed, .failed),
            ("*, \"a\"", .failed, .failed), ("\"a", .failed, .failed),
        ] as [(String, Preconditions, Preconditions)])
    func ifMatch(field: String, onStrong: Preconditions, onWeak: Preconditions) {
        #expect(strong.evaluate([.ifMatch: field] as HTTPFields, isSafe: true, now: now) == onStrong)
        #expect(weak.evaluate([.ifMatch: field] as HTTPFields, isSafe: true, now: now) == onWeak)
    }

    @Test(
        "RFC 9110 §13.1.2 If-None-Match compares weakly",
        arguments: [
            ("\"a\"", .notModified), ("W/\"a\"", .notModified), ("*", .notModified), ("\"b\"", .proceed),
            ("\"b\", W/\"a\"", .notModified), ("w/\"a\"", .proceed), ("", .proceed), ("a", .proceed),
            ("\"A\"", .proceed), ("\"b\" \"a\"", .proceed), ("\"a\"x", .notModified),
        ] as [(String, Preconditions)])
    func ifNoneMatch(field: String, expected: Preconditions) {
        for validators in [strong, weak] {
            #expect(
                validators.evaluate([.ifNoneMatch: field] as HTTPFields, isSafe: true, now: now) == expected)
            let unsafe = validators.evaluate([.ifNoneMatch: field] as HTTPFields, isSafe: false, now: now)
            #expect(unsafe == (expected == .notModified ? .failed : .proceed))
        }
    }

    @Test(
        "RFC 9110 §13.1.3 If-Modified-Since",
        arguments: [
            (same, .notModified), (later, .notModified), (earlier, .proceed), ("yesterday", .proceed),
            ("", .proceed),
            ("Sunday, 06-Nov-94 08:49:37 GMT", .notModified), ("Sun Nov  6 08:49:37 1994", .notModified),
        ] as [(String, Preconditions)])
    func ifModifiedSince(field: String, expected: Preconditions) {
        #expect(strong.evaluate([.ifModifiedSince: field] as HTTPFields, isSafe: true, now: now) == expected)
        #expect(strong.evaluate([.ifModifiedSince: field] as HTTPFields, isSafe: false, now: now) == .proceed)
    }

    @Test(
        "RFC 9110 §13.1.4 If-Unmodified-Since",
        arguments: [(same, .proceed), (later, .proceed), (earlier, .failed), ("x", .proceed)]
            as [(String, Preconditions)])
    func ifUnmodifiedSince(field: String, expected: Preconditions) {
        #expect(
            strong.evaluate([.ifUnmodifiedSince: field] as HTTPFields, isSafe: true, now: now) == expected)
    }

    @Test(
        "RFC 9110 §13.2.2 the order of evaluation",
        arguments: [
            // If-Match hides If-Unmodified-Since, in both directions.
            ([.ifMatch: "\"a\"", .ifUnmodifiedSince: earlier], .proceed),
            ([.ifMatch: "\"b\"", .ifUnmodifiedSince: same], .failed),
            // A failed If-Match comes before a matching If-None-Match.
            ([.ifMatch: "\"b\"", .ifNoneMatch: "\"a\""], .failed),
            ([.ifMatch: "\"a\"", .ifNoneMatch: "\"a\""], .notModified),
            // If-None-Match hides If-Modified-Since.
            ([.ifNoneMatch: "\"b\"", .ifModifiedSince: same], .proceed),
            ([.ifNoneMatch: "\"a\"", .ifModifiedSince: earlier], .notModified),
            ([.ifUnmodifiedSince: earlier, .ifModifiedSince: same], .failed),
            ([.ifUnmodifiedSince: same, .ifModifiedSince: same], .notModified),
            ([.range: "bytes=0-0"], .proceed),
        ] as [(HTTPFields, Preconditions)])
    func order(fields: HTTPFields, expected: Preconditions) {
        #expect(strong.evaluate(fields, isSafe: true, now: now) == expected)
    }

    @Test(
        "RFC 9110 §13.1.5 If-Range",
        arguments: [
            ("\"a\"", true, false), ("W/\"a\"", false, false), ("\"b\"", false, false), (same, true, true),
            (earlier, false, false), (later, false, false), ("", false, false),
            ("\"a\", \"b\"", false, false),
            ("*", false, false),
        ])
    func ifRange(field: String, onStrong: Bool, onWeak: Bool) {
        #expect(strong.satisfiesIfRange(field, now: now) == onStrong)
        #expect(weak.satisfiesIfRange(field, now: now) == onWeak)
    }

    @Test("RFC 9110 §8.8.2.2 a date is no strong validator within its own second")
    func weakDate() {
        #expect(!strong.satisfiesIfRange(same, now: modified))
    }

    @Test("RFC 9110 §8.8.3.2 comparison")
    func comparison() {
        let tags = [
            ("1", true, "1", true), ("1", true, "2", true), ("1", true, "1", false), ("1", false, "1", false),
        ]
        let compared = tags.map { tag in
            let (one, other) = (
                EntityTag(opaque: tag.0, isWeak: tag.1), EntityTag(opaque: tag.2, isWeak: tag.3)
            )
            return [one.stronglyMatches(other), one.weaklyMatches(other)]
        }
        #expect(compared == [[false, true], [false, false], [false, true], [true, true]])
    }

    @Test("A list of tags is read to its bound and no further")
    func bound() {
        let field = repeatElement("\"x\"", count: 500).joined(separator: ",")
        guard case .tags(let tags) = EntityTagList(parsing: field) else { return #expect(Bool(false)) }
        #expect(tags.count == EntityTagList.maximumTags)
    }
}

@Suite("RFC 9110 §14 ranges")
struct ByteRangeTests {
    @Test(
        "RFC 9110 §14.1.2 byte ranges of 100 octets",
        arguments: [
            ("bytes=0-9", .parts([0..<10])), ("bytes=0-", .parts([0..<100])),
            ("bytes=99-", .parts([99..<100])),
            ("bytes=50-1000", .parts([50..<100])), ("bytes=-1", .parts([99..<100])),
            ("bytes=-100", .parts([0..<100])),
            ("bytes=-1000", .parts([0..<100])), ("bytes=100-", .unsatisfiable), ("bytes=-0", .unsatisfiable),
            ("bytes=200-300", .unsatisfiable), ("bytes=0-0", .parts([0..<1])), ("BYTES=0-0", .parts([0..<1])),
            ("bytes=0-0,-1", .parts([0..<1, 99..<100])), ("bytes=-1,0-0", .parts([99..<100, 0..<1])),
            ("bytes=0-9, 20-29", .parts([0..<10, 20..<30])),
            ("bytes= 0-9 ,, 20-29 ,", .parts([0..<10, 20..<30])),
            ("bytes=0-9,200-", .parts([0..<10])), ("bytes=200-,300-", .unsatisfiable),
            ("bytes=0-99999999999999999999", .parts([0..<100])),
            ("bytes=99999999999999999999-", .unsatisfiable),
            ("bytes=-99999999999999999999", .parts([0..<100])),
        ] as [(String, ByteRange)])
    func ranges(field: String, expected: ByteRange) {
        #expect(ByteRange(parsing: field, length: 100) == expected)
    }

    @Test(
        "RFC 9110 §14.2 what is malformed or unknown is ignored",
        arguments: [
            "", "bytes", "bytes=", "bytes=,", "bytes=a-b", "bytes=9-0", "bytes=-", "bytes=0-9,9-0",
            "bytes=0-9;20-29",
            "items=0-9", "0-9", "bytes=0 - 9", "bytes =0-9", "bytes=--1", "bytes=+0-9", "bytes=0-9 20-29",
            "bytes=0x1-2",
        ])
    func ignored(field: String) {
        #expect(ByteRange(parsing: field, length: 100) == .whole)
    }

    @Test(
        "RFC 9110 §15.3.7.2 ranges that overlap or touch are joined",
        arguments: [
            ("bytes=0-9,10-19", [0..<20]), ("bytes=0-9,5-14", [0..<15]), ("bytes=5-14,0-9", [0..<15]),
            ("bytes=0-99,5-6", [0..<100]), ("bytes=90-,0-1,-20", [80..<100, 0..<2]),
            ("bytes=0-0,2-2,1-1", [0..<3]), ("bytes=50-59,0-9,55-64", [50..<65, 0..<10]),
        ] as [(String, [Range<Int64>])])
    func merging(field: String, expected: [Range<Int64>]) {
        #expect(ByteRange(parsing: field, length: 100) == .parts(expected))
    }

    @Test("RFC 9110 §14.2 floods: too many ranges are ignored, overlaps cost nothing")
    func floods() {
        func field(_ count: Int, _ spec: (Int) -> String) -> String {
            "bytes=" + (0..<count).map(spec).joined(separator: ",")
        }
        #expect(ByteRange(parsing: field(64) { _ in "0-" }, length: 100) == .parts([0..<100]))
        #expect(ByteRange(parsing: field(65) { _ in "0-" }, length: 100) == .whole)
        #expect(ByteRange(parsing: field(10_000) { "\($0 * 2)-\($0 * 2)" }, length: 1 << 20) == .whole)
        guard
            case .parts(let parts) = ByteRange(parsing: field(64) { "\($0 * 2)-\($0 * 2)" }, length: 1 << 20)
        else {
            return #expect(Bool(false))
        }
        #expect(parts.count == 64)
    }

    @Test("RFC 9110 §14.1.2 an empty representation")
    func empty() {
        #expect(ByteRange(parsing: "bytes=0-", length: 0) == .unsatisfiable)
        #expect(ByteRange(parsing: "bytes=0-0", length: 0) == .unsatisfiable)
        #expect(ByteRange(parsing: "bytes=-5", length: 0) == .whole)
    }

    @Test("Random fields give ranges inside the representation that do not overlap")
    func fuzz() {
        var random = SeededGenerator(seed: 8)
        for _ in 0..<5000 {
            let text = "bytes=" + String(decoding: random.bytes("0123456789-,, ", upTo: 40), as: UTF8.self)
            let length = Int64.random(in: 0...200, using: &random)
            guard case .parts(let parts) = ByteRange(parsing: text, length: length) else { continue }
            let sorted = parts.sorted { $0.lowerBound < $1.lowerBound }
            for (part, next) in zip(sorted, sorted.dropFirst()) { #expect(part.upperBound < next.lowerBound) }
            #expect(sorted.allSatisfy { !$0.isEmpty && $0.lowerBound >= 0 && $0.upperBound <= length })
            _ = EntityTagList(parsing: text)
        }
    }
}
