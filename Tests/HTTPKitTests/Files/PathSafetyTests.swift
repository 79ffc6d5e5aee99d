import HTTPTypes
import Testing

@testable import HTTPKit

@Suite("RFC 9110 §17.3 paths that stay in their folder")
struct PathSafetyTests {
    @Test(
        "RFC 3986 §3.3 segments, decoded once",
        arguments: [
            ("", ".", true), ("/", ".", true), ("/a", "a", false), ("a", "a", false), ("/a/", "a", true),
            ("/a/b.txt", "a/b.txt", false), ("/a%20b", "a b", false), ("/%61", "a", false),
            ("/%C3%A9", "é", false),
            ("/%252e%252e/x", "%2e%2e/x", false), ("/a..b", "a..b", false), ("/a.", "a.", false),
            ("/a%3Fb", "a?b", false),
        ])
    func accepts(raw: String, path: String, isFolder: Bool) throws {
        let safe = try SafePath(rawPath: raw.utf8.span)
        #expect(safe.relativePath == path && safe.isFolder == isFolder)
    }

    @Test(
        "RFC 9110 §17.3 no way out, in any encoding",
        arguments: [
            "/..", "/../x", "/a/../b", "/%2e%2e/x", "/%2E%2e/x", "/.%2e/x", "/%2e./x", "/a/..", "/./a", "/.",
            "/%2e",
            "/..%2fx", "/%2e%2e%2fx", "/..%5cx", "/..\\x", "/a%2fb", "/a%5Cb", "/a\\b", "//a", "/a//b", "//",
            "/a//",
            "/.git/config", "/.env", "/a/.hidden", "/%2ehidden", "/.well-known/x", "/...",
        ])
    func refuses(raw: String) {
        let error = #expect(throws: PathRefusal.self) { try SafePath(rawPath: raw.utf8.span) }
        #expect(error?.status == .notFound)
    }

    @Test(
        "RFC 3986 §2.1 what cannot be decoded or named is a bad request",
        arguments: [
            "/%", "/%4", "/%zz", "/a%00", "/%00", "/a%0a", "/a%0d%0ab", "/a%7f", "/%ff", "/%c0%ae%c0%ae/x",
        ])
    func badRequests(raw: String) {
        let error = #expect(throws: PathRefusal.self) { try SafePath(rawPath: raw.utf8.span) }
        #expect(error?.status == .badRequest)
    }

    @Test("RFC 8615 §3 .well-known only as the first segment, and by choice")
    func wellKnown() throws {
        #expect(
            try SafePath(rawPath: "/.well-known/a".utf8.span, allowsWellKnown: true).relativePath
                == ".well-known/a")
        for raw in ["/a/.well-known", "/.well-known/.x", "/.well-known2"] {
            #expect(throws: PathRefusal.hidden) {
                try SafePath(rawPath: raw.utf8.span, allowsWellKnown: true)
            }
        }
    }

    @Test("Names and paths have a longest length")
    func lengths() {
        let name = String(repeating: "a", count: 255)
        #expect(throws: Never.self) { try SafePath(rawPath: "/\(name)".utf8.span) }
        #expect(throws: PathRefusal.tooLong(limit: 255, length: 256)) {
            try SafePath(rawPath: "/a\(name)".utf8.span)
        }
        let path = String(repeating: "/\(name)", count: 16)
        #expect(throws: PathRefusal.tooLong(limit: 4000, length: 4096)) {
            try SafePath(rawPath: path.utf8.span)
        }
    }

    @Test("Random paths are refused or lead to plain segments")
    func fuzz() {
        var random = SeededGenerator(seed: 9)
        for _ in 0..<5000 {
            let bytes = random.bytes("ab./%2eEfF5c\\", upTo: 24)
            guard let path = try? SafePath(rawPath: bytes.span) else { continue }
            for segment in path.segments {
                #expect(
                    !segment.isEmpty && !segment.hasPrefix(".") && !segment.contains("/")
                        && !segment.contains("\\"))
                #expect(!segment.utf8.contains(0))
            }
            // A listing or a redirect that repeats the path leads back to it.
            #expect((try? SafePath(rawPath: path.encoded.utf8.span))?.segments == path.segments)
        }
    }

    @Test(
        "Patterns of Cache-Control rules",
        arguments: [
            ("*.js", "a.js", true), ("*.js", "x/y/a.js", true), ("*.js", "a.jsx", false),
            ("/x/*", "x/a", true),
            ("x/*", "x/y/a", false), ("x/**", "x/y/a", true), ("**/a.js", "x/y/a.js", true),
            ("*", "x/y", true),
            ("/a", "a", true), ("/a", "x/a", false), ("a*c*e", "abcde", true), ("a*c*e", "abcd", false),
        ])
    func globs(pattern: String, path: String, expected: Bool) {
        #expect(PathGlob.matches(pattern, path) == expected)
    }

    @Test(
        "RFC 8246 fingerprinted names",
        arguments: [
            ("app.0123abcd.js", true), ("x/app.0123ABCDEF.min.css", true), ("app.12345678.js", true),
            ("app.0123abc.js", false), ("app.js", false), ("0123abcd.js", false),
            ("report.20240131.pdf", false),
            ("app.0123abcg.js", false), ("app.0123abcd", false), ("a.0123abcd.x/app.js", false),
        ])
    func fingerprints(path: String, expected: Bool) {
        #expect(Fingerprint.isPresent(in: path) == expected)
    }

    @Test(
        "Media types by extension",
        arguments: [
            ("a.html", "text/html; charset=utf-8"), ("a.JS", "text/javascript; charset=utf-8"),
            ("a.b.wasm", "application/wasm"), ("a", "application/octet-stream"),
            (".html", "application/octet-stream"),
            ("a.unknown", "application/octet-stream"), ("a.woff2", "font/woff2"), ("a.mp4", "video/mp4"),
            ("a.webmanifest", "application/manifest+json"), ("a.svg", "image/svg+xml; charset=utf-8"),
            ("a.", "application/octet-stream"),
        ])
    func mediaTypes(name: String, expected: String) {
        #expect(MediaTypeTable.contentType(ofFileNamed: name) == expected)
    }
}
