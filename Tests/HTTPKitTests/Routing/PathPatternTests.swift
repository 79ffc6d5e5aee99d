import HTTPKit
import Testing

@Suite("Route patterns")
struct PathPatternTests {
    @Test(
        "a pattern knows its text and its parameters",
        arguments: [
            ("/", []), ("/a", []), ("/a/", []), ("/{id}", ["id"]), ("/a/{id}/b/{rest...}", ["id", "rest"]),
            ("/{rest...}", ["rest"]), ("/a b/käse/~x:y@z", []), ("/:id/*", []),
            ("/{a-b}/{c_1}", ["a-b", "c_1"]),
            ("/.well-known/...", []),
        ] as [(String, [String])])
    func valid(text: String, names: [String]) throws {
        let pattern = try PathPattern(text)
        #expect(pattern.text == text)
        #expect(pattern.parameterNames == names)
    }

    static let mistakes: [(String, PathPatternError)] = [
        ("", .missingSlash(pattern: "")),
        ("a/b", .missingSlash(pattern: "a/b")),
        ("/a//b", .emptySegment(pattern: "/a//b", at: 3)),
        ("//", .emptySegment(pattern: "//", at: 1)),
        ("/a/{}", .unnamedParameter(pattern: "/a/{}", at: 3)),
        ("/{...}", .unnamedParameter(pattern: "/{...}", at: 1)),
        ("/{x}/{x}", .duplicateParameter(pattern: "/{x}/{x}", name: "x", at: 5)),
        ("/{x}/{x...}", .duplicateParameter(pattern: "/{x}/{x...}", name: "x", at: 5)),
        ("/{r...}/a", .restNotLast(pattern: "/{r...}/a", name: "r", at: 1)),
        ("/{r...}/", .restNotLast(pattern: "/{r...}/", name: "r", at: 1)),
        ("/a{x}", .malformedParameter(pattern: "/a{x}", segment: "a{x}", at: 1)),
        ("/{x", .malformedParameter(pattern: "/{x", segment: "{x", at: 1)),
        ("/x}", .malformedParameter(pattern: "/x}", segment: "x}", at: 1)),
        ("/{", .malformedParameter(pattern: "/{", segment: "{", at: 1)),
        ("/{x y}", .malformedParameter(pattern: "/{x y}", segment: "{x y}", at: 1)),
        ("/{x..}", .malformedParameter(pattern: "/{x..}", segment: "{x..}", at: 1)),
        ("/ok/a%20b", .forbiddenCharacter(pattern: "/ok/a%20b", segment: "a%20b", at: 5)),
        ("/a?b", .forbiddenCharacter(pattern: "/a?b", segment: "a?b", at: 2)),
        ("/a#b", .forbiddenCharacter(pattern: "/a#b", segment: "a#b", at: 2)),
        ("/a\u{7}", .forbiddenCharacter(pattern: "/a\u{7}", segment: "a\u{7}", at: 2)),
        ("/a/./b", .dotSegment(pattern: "/a/./b", at: 3)),
        ("/..", .dotSegment(pattern: "/..", at: 1)),
    ]

    @Test("a bad pattern is an error that names it and the place", arguments: mistakes)
    func invalid(text: String, expected: PathPatternError) {
        #expect(throws: expected) { try PathPattern(text) }
        #expect("\(expected)".contains("\"\(text)\""))
    }

    @Test(
        "a group's prefix and a route's path meet at one slash",
        arguments: [
            ("/", "/", "/"), ("/", "/a", "/a"), ("/api", "/", "/api"), ("/api", "/a", "/api/a"),
            ("/api/", "/a", "/api/a"), ("/api/", "/", "/api"), ("/api", "/a/", "/api/a/"),
            ("/{t}", "/{id}", "/{t}/{id}"),
        ])
    func appending(prefix: String, path: String, joined: String) throws {
        #expect(try PathPattern(prefix).appending(PathPattern(path)) == PathPattern(joined))
    }

    @Test("a prefix's parameters and its end are checked when it is joined")
    func appendingInvalid() throws {
        let prefix = try PathPattern("/{id}")
        let rest = try PathPattern("/{r...}")
        #expect(throws: PathPatternError.duplicateParameter(pattern: "/{id}/{id}", name: "id", at: 6)) {
            try prefix.appending(prefix)
        }
        #expect(throws: PathPatternError.restNotLast(pattern: "/{r...}/{id}", name: "r", at: 1)) {
            try rest.appending(prefix)
        }
    }

    @Test(
        "RFC 3986 §5.2.4 dot segments, in any encoding",
        arguments: [
            ("/", false), ("/.", true), ("/..", true), ("/...", false), ("/a/../b", true), ("/a/./b", true),
            ("/%2e", true), ("/%2E.", true), ("/.%2e/x", true), ("/%2e%2E", true), ("/%2e%2e%2e", false),
            ("/.a", false), ("/a.", false), ("/a..b/", false), ("/%252e", false), ("/..%2f", false),
            ("", false),
            ("/%2", false), ("/a/..", true), ("/%2x", false), ("/%3e", false),
        ])
    func dotSegments(path: String, expected: Bool) {
        #expect(DotSegments.contains(path) == expected)
    }
}
