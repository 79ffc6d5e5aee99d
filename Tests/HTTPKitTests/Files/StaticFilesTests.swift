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

/// Times that lie behind those of all files that a test makes.
func later(_ seconds: Int64 = 0) -> HTTPDate {
    HTTPDate(secondsSinceEpoch: Int64(time(nil)) + 10 + seconds)
}

extension StaticFiles {
    func get(
        _ path: String, _ fields: HTTPFields = [:], method: HTTPRequest.Method = .get, query: String? = nil,
        now: HTTPDate = later()
    ) -> FileAnswer {
        answer(
            method: method, rawPath: ByteBuffer(string: path), query: query.map { ByteBuffer(string: $0) },
            fields: fields, now: now)
    }
}

extension FileAnswer {
    /// The content, read as it would be sent.
    var text: String {
        switch body {
        case .none: ""
        case .bytes(let buffer): String(buffer: buffer)
        case .file(let file, let offset, let length): FileAnswer.text(file, offset, length)
        case .multipart(let segments):
            segments.map { segment in
                switch segment {
                case .bytes(let buffer): String(buffer: buffer)
                case .file(let file, let offset, let length): FileAnswer.text(file, offset, length)
                }
            }.joined()
        }
    }

    private static func text(_ file: OpenFile, _ offset: Int64, _ length: Int64) -> String {
        var bytes = [UInt8](repeating: 0, count: Int(length))
        let count = bytes.withUnsafeMutableBytes { file.read(into: $0, at: offset) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}

@Suite("Static files")
struct StaticFilesTests {
    private let folder: TemporaryFolder
    private let alphabet = "abcdefghijklmnopqrstuvwxyz"

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("a.txt", alphabet)
        try folder.setModified("a.txt", seconds: 784_111_777, nanoseconds: 5)
        try folder.write("dir/index.html", "<p>index</p>")
        try folder.write("dir/sub/x.bin", "x")
    }

    private func files(_ change: (inout StaticFileOptions) -> Void = { _ in }) throws -> StaticFiles {
        var options = StaticFileOptions()
        change(&options)
        return try StaticFiles(root: folder.path, options: options)
    }

    @Test("RFC 9110 §15.3.1 a file with its fields", arguments: [Int64(64 << 10), 0])
    func whole(memoryLimit: Int64) throws {
        let answer = try files { $0.maxCachedFileSize = memoryLimit }.get("/a.txt")
        #expect(answer.status == .ok && answer.text == alphabet && answer.contentLength == 26)
        #expect(answer.fields[.contentType] == "text/plain; charset=utf-8")
        #expect(answer.fields[.lastModified] == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(answer.fields[.eTag] == "\"1a-2ebc98a1.5\"")
        #expect(answer.fields[.acceptRanges] == "bytes")
        #expect(answer.fields[.cacheControl] == "no-cache")
        #expect(answer.fields[.xContentTypeOptions] == "nosniff")
        #expect(answer.fields[.vary] == nil && answer.fields[.contentEncoding] == nil)
        let lines = answer.fields.map { "\($0.name.rawName): \($0.value)\r\n" }.joined()
        #expect(answer.encodedFields.map { String(buffer: $0) } == lines)
        if case .file = answer.body { #expect(memoryLimit == 0) } else { #expect(memoryLimit > 0) }
    }

    @Test("RFC 9110 §9.3.2 HEAD is GET without the content", arguments: [Int64(64 << 10), 0])
    func head(memoryLimit: Int64) throws {
        let files = try files { $0.maxCachedFileSize = memoryLimit }
        for path in ["/a.txt", "/dir/", "/dir", "/none", "/"] {
            let get = files.get(path)
            let head = files.get(path, method: .head)
            #expect(
                head.status == get.status && head.fields == get.fields
                    && head.contentLength == get.contentLength)
            #expect(head.text == "")
        }
        let ranged = files.get("/a.txt", [.range: "bytes=0-0"], method: .head)
        #expect(ranged.status == .ok && ranged.contentLength == 26)
    }

    @Test(
        "RFC 9110 §15.5.6, §9.3.7 other methods",
        arguments: [HTTPRequest.Method.post, .put, .delete, .patch, .options])
    func methods(method: HTTPRequest.Method) throws {
        let answer = try files().get("/a.txt", method: method)
        #expect(answer.status == (method == .options ? .noContent : .methodNotAllowed))
        #expect(answer.fields[.allow] == "GET, HEAD, OPTIONS")
        #expect(try files().get("/none", method: method).status == .notFound)
    }

    @Test(
        "What is not served is not found",
        arguments: [
            "/none", "/a.txt/", "/a.txt/x", "/dir/none", "/dir/sub/", "/", "/../a.txt", "/%2e%2e/a.txt",
            "/.hidden",
            "/dir/.hidden", "//a.txt", "/dir%2findex.html",
        ])
    func notFound(path: String) throws {
        try folder.write(".hidden", "secret")
        try folder.write("dir/.hidden", "secret")
        let answer = try files().get(path)
        #expect(answer.status == .notFound && answer.text == "")
    }

    @Test("Undecodable paths are bad requests", arguments: ["/%", "/%00", "/a.txt%00.html", "/%ff"])
    func badRequests(path: String) throws {
        #expect(try files().get(path).status == .badRequest)
    }

    @Test("Symbolic links lead nowhere outside of the folder")
    func links() throws {
        let outside = try TemporaryFolder()
        try outside.write("secret.txt", "secret")
        try folder.link("absolute.txt", to: outside.path + "/secret.txt")
        try folder.link("out", to: outside.path)
        try folder.link("up.txt", to: "../" + outside.path.dropFirst(5) + "/secret.txt")
        try folder.link("dir/far.txt", to: "../../" + outside.path.dropFirst(5) + "/secret.txt")
        try folder.link("chain.txt", to: "up.txt")
        try folder.link("loop", to: "loop")
        try folder.link("self", to: "/proc/self/cwd")
        try folder.link("neighbour.txt", to: folder.path + "2/x")
        _ = mkdir(folder.path + "2", 0o755)
        defer { _ = rmdir(folder.path + "2") }
        let files = try files()
        for path in [
            "/absolute.txt", "/out/secret.txt", "/out", "/out/", "/up.txt", "/dir/far.txt", "/chain.txt",
            "/loop",
            "/self", "/self/", "/neighbour.txt",
        ] {
            #expect(files.get(path).status == .notFound, "\(path)")
        }
        try folder.link("in.txt", to: "a.txt")
        try folder.link("dir/up.txt", to: "../a.txt")
        try folder.link("inside.txt", to: folder.path + "/a.txt")
        for path in ["/in.txt", "/dir/up.txt", "/inside.txt"] {
            #expect(files.get(path).text == alphabet, "\(path)")
        }
    }

    @Test("Only regular files are served, and a pipe is not waited for")
    func special() throws {
        try #require(mkfifo(folder.path + "/pipe", 0o644) == 0)
        #expect(try files().get("/pipe").status == .notFound)
    }

    @Test("A folder redirects to its slash and answers with its index")
    func folders() throws {
        let files = try files { $0.mountPath = "/static" }
        let redirect = files.get("/dir", query: "a=1&b=%20\"")
        #expect(redirect.status == .movedPermanently)
        #expect(redirect.fields[.location] == "/static/dir/?a=1&b=%20%22")
        #expect(files.get("/dir/sub").fields[.location] == "/static/dir/sub/")
        #expect(files.get("/%64ir").fields[.location] == "/static/dir/")
        #expect(files.get("/dir/").text == "<p>index</p>")
        #expect(files.get("/dir/").fields[.contentType] == "text/html; charset=utf-8")
    }

    @Test("A listing shows names as text and no hidden ones")
    func listing() throws {
        try folder.write("list/<b>&\"'.txt", "x")
        try folder.write("list/a:b.txt", "x")
        try folder.write("list/.hidden", "x")
        try folder.write("list/sub/x", "x")
        #expect(try files().get("/list/").status == .notFound)
        let answer = try files { $0.listsFolders = true }.get("/list/")
        #expect(answer.status == .ok && answer.fields[.contentType] == "text/html; charset=utf-8")
        #expect(answer.text.contains(">&lt;b&gt;&amp;&quot;&#39;.txt</a>"))
        #expect(answer.text.contains("href=\"./%3Cb%3E&amp;%22&#39;.txt\""))
        #expect(answer.text.contains("href=\"./a:b.txt\"") && answer.text.contains("href=\"./sub/\""))
        #expect(!answer.text.contains("hidden") && !answer.text.contains("<b>"))
    }

    @Test("A single-page application's paths get its page, files that are missing do not")
    func fallback() throws {
        let files = try files { $0.fallback = "dir/index.html" }
        #expect(files.get("/users/7").text == "<p>index</p>" && files.get("/users/7").status == .ok)
        #expect(files.get("/none.png", [.accept: "image/*,*/*"]).status == .notFound)
        #expect(files.get("/john.doe", [.accept: "text/html,*/*;q=0.8"]).status == .ok)
        #expect(files.get("/../x").status == .notFound)
        #expect(files.get("/a.txt").text == alphabet)
    }

    @Test("RFC 9110 §15.5.5 the 404 page comes from a file, whatever the conditions")
    func notFoundPage() throws {
        try folder.write("404.html", "nothing here")
        let files = try files { $0.notFoundPage = "404.html" }
        let answer = files.get("/none", [.ifNoneMatch: "*", .range: "bytes=0-0"])
        #expect(answer.status == .notFound && answer.text == "nothing here" && answer.contentLength == 12)
        #expect(answer.fields[.contentType] == "text/html; charset=utf-8" && answer.fields[.eTag] == nil)
    }

    @Test("Cache-Control by rule, by fingerprint, by default")
    func cacheControl() throws {
        try folder.write("app.0123abcd.js", "x")
        try folder.write("app.js", "x")
        let files = try files {
            $0.cacheRules = [.init("*.txt", "max-age=60"), .init("dir/**", "no-store")]
            $0.defaultCacheControl = nil
        }
        #expect(files.get("/a.txt").fields[.cacheControl] == "max-age=60")
        #expect(files.get("/dir/").fields[.cacheControl] == "no-store")
        #expect(files.get("/app.js").fields[.cacheControl] == nil)
        #expect(files.get("/app.0123abcd.js").fields[.cacheControl] == "public, max-age=31536000, immutable")
    }

    @Test("A missing folder says where it was looked for")
    func missingRoot() {
        #expect(throws: StaticFilesError(path: "/nonexistent/x")) { try StaticFiles(root: "/nonexistent/x") }
        let error = #expect(throws: StaticFilesError.self) { try StaticFiles(root: "nonexistent") }
        #expect(error?.path.hasPrefix("/") == true && error?.path.hasSuffix("/nonexistent") == true)
    }

    @Test("Random requests are answered without harm")
    func fuzz() throws {
        let files = try files { $0.listsFolders = true }
        var random = SeededGenerator(seed: 10)
        for _ in 0..<3000 {
            let path = random.bytes("/a.txt/dir%2e", upTo: 20)
            let range = String(decoding: random.bytes("bytes=0123-,", upTo: 14), as: UTF8.self)
            let answer = files.answer(
                method: .get, rawPath: ByteBuffer(bytes: path),
                fields: [.range: range, .acceptEncoding: range] as HTTPFields,
                now: later())
            #expect([200, 206, 301, 400, 404, 416].contains(answer.status.code))
            if let length = answer.contentLength { #expect(answer.text.utf8.count == Int(length)) }
        }
    }
}
