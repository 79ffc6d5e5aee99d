import Testing

@testable import HTTPKit

@Suite("RFC 9110 §12.4, §12.5 preferences")
struct QualityValuesTests {
    @Test(
        "RFC 9110 §12.4.2 weights",
        arguments: [
            ("0", 0), ("1", 1000), ("0.5", 500), ("0.123", 123), ("1.000", 1000), ("0.", 0), ("1.", 1000),
            ("0.05", 50), ("1.001", nil), ("2", nil), ("0.1234", nil), ("-1", nil), ("", nil), (".5", nil),
            ("0,5", nil), ("1e1", nil),
        ] as [(String, Int?)])
    func weights(text: String, expected: Int?) {
        #expect(QualityValues.thousandths(text) == expected)
    }

    @Test(
        "RFC 9110 §5.6.1 lists; malformed elements are left out",
        arguments: [
            ("gzip, br;q=0.5", "gzip=1000 br=500"), (" , ,gzip,,", "gzip=1000"),
            ("gzip ; q=0.1 , br", "gzip=100 br=1000"),
            ("gzip;q=9, br", "br=1000"), ("a/b;x=\"1,2\";q=0.3, c", "a/b=300 c=1000"), ("a b, c", "c=1000"),
            ("", ""), (";q=1", ""), ("GZIP;Q=0.2", "gzip=200"), ("a;q=0.5;ext=1", "a=500"),
        ])
    func lists(field: String, expected: String) {
        #expect(
            QualityValues.parse(field).map { "\($0.value)=\($0.quality)" }.joined(separator: " ") == expected)
    }

    @Test("A list is read to its bound and no further")
    func bound() {
        let field = repeatElement("a", count: 10_000).joined(separator: ",")
        #expect(QualityValues.parse(field).count == QualityValues.maximumElements)
    }

    @Test(
        "RFC 9110 §12.5.3 Accept-Encoding",
        arguments: [
            (nil, .identity), ("", .identity), ("gzip", .coding(2)), ("gzip, br", .coding(0)),
            ("x-gzip", .coding(2)),
            ("gzip;q=1, br;q=0.5", .coding(2)), ("br;q=0, gzip", .coding(2)), ("*", .coding(0)),
            ("br;q=0, *", .coding(1)), ("deflate", .identity), ("identity", .identity),
            ("gzip;q=0.5, identity;q=0.8", .identity), ("gzip;q=0.5", .coding(2)),
            ("identity;q=0", .notAcceptable),
            ("*;q=0", .notAcceptable), ("*;q=0, identity", .identity), ("gzip, identity;q=0", .coding(2)),
            ("gzip;q=0", .identity), ("gzip, deflate, br, zstd", .coding(0)),
        ] as [(String?, AcceptEncoding.Choice)])
    func codings(field: String?, expected: AcceptEncoding.Choice) {
        #expect(AcceptEncoding(field).choose(from: ["br", "zstd", "gzip"]) == expected)
    }

    @Test(
        "RFC 9110 §12.5.1 Accept",
        arguments: [
            (nil, "text/html"), ("*/*", "text/html"), ("application/json", "application/json"),
            ("text/*;q=0.5, application/json", "application/json"),
            ("text/html;q=0.1, */*;q=0.9", "application/json"),
            ("image/png", nil), ("text/html;q=0, text/*", nil), ("text/html;q=0, */*", "application/json"),
            ("", "text/html"), ("application/*", "application/json"), ("TEXT/HTML", "text/html"),
            ("text/html;level=1, application/json;q=0.5", "application/json"),
        ] as [(String?, String?)])
    func mediaTypes(field: String?, expected: String?) {
        #expect(Negotiation.preferred(from: ["text/html", "application/json"], accept: field) == expected)
    }

    @Test(
        "RFC 4647 §3.4 Accept-Language",
        arguments: [
            (nil, "en"), ("de", "de-DE"), ("de-AT", "de-DE"), ("fr;q=0.5, de;q=0.9", "de-DE"), ("ja", "en"),
            ("*", "en"), ("en;q=0, *", "fr"), ("fr-CA, en;q=0.1", "fr"), ("zh-Hant-x-a, fr", "fr"),
            ("-", "en"),
        ] as [(String?, String)])
    func languages(field: String?, expected: String) {
        #expect(Negotiation.language(from: ["en", "fr", "de-DE"], accept: field) == expected)
    }

    @Test("Random fields are read without harm")
    func fuzz() {
        var random = SeededGenerator(seed: 4)
        for _ in 0..<3000 {
            let field = String(decoding: random.bytes("ab*/;=q.,01 \"\\-", upTo: 60), as: UTF8.self)
            for item in QualityValues.parse(field) {
                #expect(0...1000 ~= item.quality && !item.value.isEmpty)
            }
            _ = AcceptEncoding(field).choose(from: ["a", "b"])
            _ = Negotiation.preferred(from: ["a/b"], accept: field)
            _ = Negotiation.language(from: ["a-b"], accept: field)
            _ = MediaType(parsing: field)
        }
    }
}
