import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("Static files: conditions, ranges, codings, changes")
struct StaticFilesContentTests {
    private let folder: TemporaryFolder
    private let alphabet = "abcdefghijklmnopqrstuvwxyz"

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("a.txt", alphabet)
        try folder.setModified("a.txt", seconds: 784_111_777, nanoseconds: 5)
    }

    private func files(_ change: (inout StaticFileOptions) -> Void = { _ in }) throws -> StaticFiles {
        var options = StaticFileOptions()
        change(&options)
        return try StaticFiles(root: folder.path, options: options)
    }

    @Test("RFC 9110 §13, §15.4.5 conditions")
    func conditions() throws {
        let files = try files()
        let tag = try #require(files.get("/a.txt").fields[.eTag])
        let same = files.get("/a.txt", [.ifNoneMatch: tag])
        #expect(same.status == .notModified && same.text == "" && same.contentLength == nil)
        #expect(same.fields[.eTag] == tag && same.fields[.cacheControl] == "no-cache")
        #expect(same.fields[.contentType] == nil)
        let lines = same.fields.map { "\($0.name.rawName): \($0.value)\r\n" }.joined()
        #expect(same.encodedFields.map { String(buffer: $0) } == lines)
        let since = "Sun, 06 Nov 1994 08:49:37 GMT"
        #expect(files.get("/a.txt", [.ifModifiedSince: since]).status == .notModified)
        #expect(files.get("/a.txt", [.ifNoneMatch: "\"x\"", .ifModifiedSince: since]).status == .ok)
        #expect(files.get("/a.txt", [.ifMatch: "\"x\""]).status == .preconditionFailed)
        #expect(files.get("/a.txt", [.ifMatch: tag]).status == .ok)
        #expect(files.get("/a.txt", [.ifMatch: "W/" + tag]).status == .preconditionFailed)
        #expect(files.get("/a.txt", [.ifMatch: "*"]).status == .ok)
        #expect(files.get("/none", [.ifMatch: "*"]).status == .notFound)
        // RFC 9110 §13.2.2: conditions come before ranges.
        #expect(files.get("/a.txt", [.ifNoneMatch: tag, .range: "bytes=0-0"]).status == .notModified)
    }

    @Test("RFC 9110 §8.8.1 a tag of size and time is strong once the file cannot change unseen")
    func tagsGrowStrong() throws {
        let changed = HTTPDate(secondsSinceEpoch: 0)
        let files = try files()
        let young = files.get("/a.txt", now: changed)
        let weak = try #require(young.fields[.eTag])
        #expect(weak.hasPrefix("W/\""))
        #expect(files.get("/a.txt", [.ifRange: weak, .range: "bytes=1-2"], now: changed).status == .ok)
        let old = files.get("/a.txt")
        let strong = try #require(old.fields[.eTag])
        #expect("W/" + strong == weak)
        #expect(files.get("/a.txt", [.ifRange: strong, .range: "bytes=1-2"]).text == "bc")
        #expect(files.get("/a.txt", [.ifNoneMatch: weak]).status == .notModified)
    }

    @Test("RFC 9110 §8.8.3 strong tags are digests of the content", arguments: [Int64(64 << 10), 0])
    func strongTags(memoryLimit: Int64) throws {
        try folder.write("b.txt", alphabet)
        let files = try files {
            $0.entityTags = .content
            $0.maxCachedFileSize = memoryLimit
        }
        let tag = try #require(files.get("/a.txt").fields[.eTag])
        #expect(tag == "\"71c480df93d6ae2f1efad1447c66c952\"")
        #expect(files.get("/b.txt").fields[.eTag] == tag)
        #expect(files.get("/a.txt", [.ifMatch: tag]).status == .ok)
        #expect(files.get("/a.txt", [.ifRange: tag, .range: "bytes=1-2"]).text == "bc")
        #expect(files.get("/a.txt", [.ifRange: "\"x\"", .range: "bytes=1-2"]).status == .ok)
    }

    @Test("RFC 9110 §14, §15.3.7.1 one range", arguments: [Int64(64 << 10), 0])
    func oneRange(memoryLimit: Int64) throws {
        let files = try files { $0.maxCachedFileSize = memoryLimit }
        let answer = files.get("/a.txt", [.range: "bytes=1-3"])
        #expect(answer.status == .partialContent && answer.text == "bcd" && answer.contentLength == 3)
        #expect(answer.fields[.contentRange] == "bytes 1-3/26" && answer.encodedFields == nil)
        #expect(answer.fields[.contentType] == "text/plain; charset=utf-8" && answer.fields[.eTag] != nil)
        #expect(files.get("/a.txt", [.range: "bytes=-2"]).text == "yz")
        #expect(files.get("/a.txt", [.range: "bytes=24-"]).fields[.contentRange] == "bytes 24-25/26")
        #expect(files.get("/a.txt", [.range: "lines=1-3"]).text == alphabet)
        let since = "Sun, 06 Nov 1994 08:49:37 GMT"
        #expect(files.get("/a.txt", [.ifRange: since, .range: "bytes=0-0"]).status == .partialContent)
        #expect(
            files.get("/a.txt", [.ifRange: "Sun, 06 Nov 1994 08:49:38 GMT", .range: "bytes=0-0"]).status
                == .ok)
    }

    @Test("RFC 9110 §15.5.17 no range that can be had")
    func unsatisfiable() throws {
        try folder.write("empty.txt", "")
        let files = try files()
        let answer = files.get("/a.txt", [.range: "bytes=26-"])
        #expect(answer.status == .rangeNotSatisfiable && answer.text == "" && answer.contentLength == 0)
        #expect(answer.fields[.contentRange] == "bytes */26")
        #expect(files.get("/a.txt", [.ifRange: "\"x\"", .range: "bytes=26-"]).status == .ok)
        #expect(files.get("/empty.txt").contentLength == 0)
        #expect(files.get("/empty.txt", [.range: "bytes=0-"]).fields[.contentRange] == "bytes */0")
    }

    @Test("RFC 9110 §14.6 several ranges", arguments: [Int64(64 << 10), 0])
    func severalRanges(memoryLimit: Int64) throws {
        let files = try files {
            $0.maxCachedFileSize = memoryLimit
            $0.makeBoundary = { "B" }
        }
        let answer = files.get("/a.txt", [.range: "bytes=0-1,-2"])
        #expect(answer.status == .partialContent)
        #expect(answer.fields[.contentType] == "multipart/byteranges; boundary=B")
        #expect(answer.fields[.contentRange] == nil)
        let part = "Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes"
        let expected = "--B\r\n\(part) 0-1/26\r\n\r\nab\r\n--B\r\n\(part) 24-25/26\r\n\r\nyz\r\n--B--\r\n"
        #expect(answer.text == expected && answer.contentLength == Int64(expected.utf8.count))
    }

    @Test("RFC 2046 §5.1.1 boundaries of their own are new each time")
    func boundaries() throws {
        let files = try files()
        let types = (0..<3).map { _ in
            files.get("/a.txt", [.range: "bytes=0-0,-1"]).fields[.contentType] ?? ""
        }
        #expect(Set(types).count == 3)
        for type in types {
            let boundary = try #require(MediaType(parsing: type)?["boundary"])
            #expect(throws: Never.self) { try MultipartBoundary(boundary) }
        }
    }

    @Test("RFC 9110 §12.5.3 precompressed siblings")
    func siblings() throws {
        try folder.write("s.css", "plain")
        try folder.write("s.css.br", "brotli")
        try folder.write("s.css.gz", "gzipped")
        let files = try files()
        let cases: [(String?, String, String?)] = [
            (nil, "plain", nil), ("gzip", "gzipped", "gzip"), ("gzip, br", "brotli", "br"),
            ("br;q=0.5, gzip", "gzipped", "gzip"), ("zstd", "plain", nil), ("*", "brotli", "br"),
            ("gzip;q=0", "plain", nil), ("identity", "plain", nil),
        ]
        var tags: Set<String> = []
        for (field, text, coding) in cases {
            let answer = files.get("/s.css", field.map { [.acceptEncoding: $0] } ?? [:])
            #expect(answer.status == .ok && answer.text == text && answer.fields[.contentEncoding] == coding)
            #expect(answer.fields[.vary] == "Accept-Encoding")
            #expect(answer.fields[.contentType] == "text/css; charset=utf-8")
            tags.insert(answer.fields[.eTag] ?? "")
        }
        #expect(tags.count == 3)
        let tag = try #require(files.get("/s.css", [.acceptEncoding: "br"]).fields[.eTag])
        let same = files.get("/s.css", [.acceptEncoding: "br", .ifNoneMatch: tag])
        #expect(same.status == .notModified && same.fields[.vary] == "Accept-Encoding")
        #expect(files.get("/s.css", [.acceptEncoding: "gzip", .ifNoneMatch: tag]).status == .ok)
        #expect(files.get("/s.css", [.acceptEncoding: "br", .range: "bytes=0-2"]).text == "bro")
        #expect(files.get("/s.css.gz").fields[.contentType] == "application/gzip")
    }

    @Test("RFC 9110 §12.5.3 identity refused")
    func identityRefused() throws {
        try folder.write("s.css", "plain")
        try folder.write("s.css.gz", "gzipped")
        let files = try files()
        #expect(files.get("/s.css", [.acceptEncoding: "gzip, identity;q=0"]).text == "gzipped")
        #expect(files.get("/s.css", [.acceptEncoding: "br, identity;q=0"]).status == .notAcceptable)
        #expect(files.get("/a.txt", [.acceptEncoding: "*;q=0"]).status == .notAcceptable)
        #expect(files.get("/a.txt", [.acceptEncoding: "gzip"]).fields[.vary] == nil)
    }

    @Test("A change is seen by the next request, and its tag with it", arguments: [Int64(64 << 10), 0])
    func changes(memoryLimit: Int64) throws {
        let files = try files { $0.maxCachedFileSize = memoryLimit }
        let now = later()
        var tags: Set<String> = []
        func expect(_ text: String) {
            let answer = files.get("/a.txt", now: now)
            #expect(answer.text == text)
            #expect(tags.insert(answer.fields[.eTag] ?? "").inserted)
        }
        expect(alphabet)
        try folder.write("a.txt", "new")
        expect("new")
        try folder.write("b.txt", "replaced")
        try folder.rename("b.txt", to: "a.txt")
        expect("replaced")
        try folder.delete("a.txt")
        #expect(files.get("/a.txt", now: now).status == .notFound)
        try folder.write("a.txt", "again")
        expect("again")
        try folder.delete("a.txt")
        try folder.write("c.txt", "linked")
        try folder.link("a.txt", to: "c.txt")
        expect("linked")
    }

    @Test("Changes within one tick of the file system's clock are seen, though size and times stay")
    func quickChanges() throws {
        let files = try files()
        for round in 0..<300 {
            let text = String(1000 + round)
            try folder.write("quick.txt", text)
            let now = HTTPDate(secondsSinceEpoch: Int64(time(nil)))
            #expect(files.get("/quick.txt", now: now).text == text)
        }
    }

    @Test(
        "Times that tools set to a constant make neither Last-Modified nor a strong tag",
        arguments: [0, 1, 315_532_800, 499_162_500])
    func meaninglessTimes(seconds: Int) throws {
        try folder.setModified("a.txt", seconds: seconds)
        let small = try files()
        let first = small.get("/a.txt")
        #expect(first.fields[.lastModified] == nil)
        #expect(first.fields[.eTag] == "\"71c480df93d6ae2f1efad1447c66c952\"")
        #expect(small.get("/a.txt", [.ifModifiedSince: later().description]).status == .ok)
        let large = try files { $0.maxCachedFileSize = 0 }
        let weak = try #require(large.get("/a.txt").fields[.eTag])
        #expect(weak.hasPrefix("W/\"") && large.get("/a.txt").fields[.lastModified] == nil)
        #expect(large.get("/a.txt", [.ifNoneMatch: weak]).status == .notModified)
        try folder.write("a.txt", String(alphabet.reversed()))
        try folder.setModified("a.txt", seconds: seconds)
        #expect(small.get("/a.txt").fields[.eTag] != first.fields[.eTag])
        #expect(large.get("/a.txt").fields[.eTag] != weak)
    }

    @Test("Media types of the table, and of the application before them")
    func mediaTypes() throws {
        let cases = [
            ("x.m4s", "video/iso.segment"), ("x.3gp", "video/3gpp"), ("x.heif", "image/heif"),
            ("x.avif", "image/avif"), ("x.apk", "application/vnd.android.package-archive"),
            ("x.webmanifest", "application/manifest+json"), ("x.WASM", "application/wasm"),
            ("x.mjs", "text/javascript; charset=utf-8"), ("x.woff2", "font/woff2"), ("x.opus", "audio/ogg"),
            ("x.glb", "model/gltf-binary"), ("x.none", "application/octet-stream"),
            ("x", "application/octet-stream"),
        ]
        var options = StaticFileOptions()
        for (name, type) in cases { #expect(options.contentType(ofFileNamed: name) == type) }
        options.mediaTypes = [".Foo": "text/x-foo", "wasm": "application/own"]
        #expect(options.contentType(ofFileNamed: "a.b.foo") == "text/x-foo")
        #expect(options.contentType(ofFileNamed: "x.WASM") == "application/own")
        #expect(options.contentType(ofFileNamed: "x.png") == "image/png")
    }

    @Test("A change that leaves size and modification time alone is seen too")
    func disguisedChange() throws {
        let files = try files()
        try folder.write("b.txt", "one")
        try folder.setModified("b.txt", seconds: 1000)
        #expect(files.get("/b.txt", now: later()).text == "one")
        try folder.write("b.txt", "two")
        try folder.setModified("b.txt", seconds: 1000)
        #expect(files.get("/b.txt", now: later(1)).text == "two")
        try folder.write("c.txt", "six")
        try folder.setModified("c.txt", seconds: 1000)
        try folder.rename("c.txt", to: "b.txt")
        #expect(files.get("/b.txt", now: later(2)).text == "six")
    }

    @Test("A file that changed just before it was read is not kept")
    func unsettled() throws {
        func load(at seconds: Int64) throws -> [StoredFile] {
            let root = try #require(RootFolder(path: folder.path))
            let options = StaticFileOptions()
            let loader = FileLoader(
                root: folder.path, folder: root, options: options,
                digests: DigestStore(maxConcurrent: 1, maxCount: 1), use: .asked,
                now: HTTPDate(secondsSinceEpoch: seconds))
            let path = try SafePath(rawPath: "/a.txt".utf8.span)
            guard case .resource(let first) = loader.load(path, previous: nil),
                case .file(let one, _) = first,
                case .resource(.file(let other, _)) = loader.load(path, previous: first)
            else { return [] }
            #expect(first.isKeepable == one.isSettled)
            return [one, other]
        }
        let young = try load(at: 1000)
        #expect(young.count == 2 && !young[0].isSettled && young[0] !== young[1])
        let old = try load(at: 2_000_000_000)
        #expect(old.count == 2 && old[0].isSettled && old[0] === old[1])
    }

    @Test("RFC 9110 §8.8.2.1 a modification time in the future is replaced by the present")
    func futureDate() throws {
        try folder.setModified("a.txt", seconds: 4_000_000_000)
        let now = later()
        #expect(try files().get("/a.txt", now: now).fields[.lastModified] == now.description)
    }

    @Test("A sibling that appears or goes is seen within one second")
    func siblingChanges() throws {
        let files = try files()
        #expect(files.get("/a.txt", [.acceptEncoding: "gzip"], now: later()).fields[.vary] == nil)
        try folder.write("a.txt.gz", "gz")
        let compressed = files.get("/a.txt", [.acceptEncoding: "gzip"], now: later(1))
        #expect(compressed.text == "gz" && compressed.fields[.vary] == "Accept-Encoding")
        #expect(files.get("/a.txt", now: later(1)).fields[.vary] == "Accept-Encoding")
        try folder.delete("a.txt.gz")
        #expect(files.get("/a.txt", [.acceptEncoding: "gzip"], now: later(2)).text == alphabet)
    }

    @Test("A sibling that changes or goes is seen by the next request")
    func siblingContent() throws {
        try folder.write("a.txt.gz", "gz")
        let files = try files()
        let now = later()
        #expect(files.get("/a.txt", [.acceptEncoding: "gzip"], now: now).text == "gz")
        try folder.write("a.txt.gz", "other")
        #expect(files.get("/a.txt", [.acceptEncoding: "gzip"], now: now).text == "other")
        try folder.delete("a.txt.gz")
        #expect(files.get("/a.txt", [.acceptEncoding: "gzip"], now: now).text == alphabet)
        try folder.write("a.txt.gz", "gz")
        _ = files.get("/a.txt", [.acceptEncoding: "gzip"], now: later(1))
        try folder.delete("a.txt")
        #expect(files.get("/a.txt", [.acceptEncoding: "gzip"], now: later(1)).status == .notFound)
    }

    @Test("The root may be a link that is switched to another folder")
    func switchedRoot() throws {
        let place = try TemporaryFolder()
        let other = try TemporaryFolder()
        try other.write("a.txt", "other")
        try place.link("current", to: folder.path)
        let files = try StaticFiles(root: place.path + "/current")
        let now = later()
        #expect(files.get("/a.txt", now: now).text == alphabet)
        try place.link("next", to: other.path)
        try place.rename("next", to: "current")
        #expect(files.get("/a.txt", now: now).text == "other")
    }
}

@Suite("The memory for files")
struct FileCacheTests {
    private let now = HTTPDate(secondsSinceEpoch: 1000)

    private func page(_ size: Int) -> FileResource { .listing(ByteBuffer(repeating: 0x20, count: size)) }
    private func key(_ number: Int) -> ByteBuffer { ByteBuffer(string: "/\(number)") }

    private func holds(_ cache: inout FileCache, _ number: Int) -> Bool {
        if case .missing = cache.lookup(key(number), now: now) { false } else { true }
    }

    @Test("It is bounded in number, and what was used stays")
    func number() {
        var cache = FileCache(maximumCost: 1 << 20, maximumCount: 4)
        for number in 0..<4 { cache.insert(page(10), for: key(number), now: now) }
        #expect(holds(&cache, 1) && holds(&cache, 3))
        cache.insert(page(10), for: key(4), now: now)
        cache.insert(page(10), for: key(5), now: now)
        #expect(cache.count == 4)
        #expect([0, 1, 2, 3, 4, 5].filter { holds(&cache, $0) } == [1, 3, 4, 5])
    }

    @Test("It is bounded in memory, and large things are not kept at all")
    func memory() {
        var cache = FileCache(maximumCost: 10_000, maximumCount: 1000)
        var random = SeededGenerator(seed: 11)
        for _ in 0..<1000 {
            let number = Int.random(in: 0..<50, using: &random)
            if Bool.random(using: &random) { _ = holds(&cache, Int.random(in: 0..<50, using: &random)) }
            if number == 0 { cache.remove(key(Int.random(in: 0..<50, using: &random))) }
            cache.insert(page(Int.random(in: 0...3000, using: &random)), for: key(number), now: now)
            #expect(cache.cost <= 10_000)
        }
        cache.insert(page(3000), for: key(99), now: now)
        #expect(!holds(&cache, 99))
        for number in 0..<50 { cache.remove(key(number)) }
        #expect(cache.count == 0 && cache.cost == 0)
    }

    @Test("An entry is fresh in the second of its check and stale in any other")
    func freshness() {
        var cache = FileCache(maximumCost: 10_000, maximumCount: 10)
        cache.insert(page(1), for: key(1), now: now)
        guard case .fresh = cache.lookup(key(1), now: now) else { return #expect(Bool(false)) }
        for seconds in [999, 1001] {
            guard case .stale = cache.lookup(key(1), now: HTTPDate(secondsSinceEpoch: Int64(seconds))) else {
                return #expect(Bool(false))
            }
        }
    }
}
