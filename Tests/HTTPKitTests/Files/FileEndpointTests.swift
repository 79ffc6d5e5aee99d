import HTTPTypes
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPKit

@Suite("Static files as an endpoint")
struct FileEndpointTests {
    private let folder: TemporaryFolder
    private let files: StaticFiles
    private let now = later()

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("a.txt", "hello")
        try folder.write("dir/index.html", "index")
        try folder.write("large.bin", [UInt8](repeating: 7, count: 70_000))
        var options = StaticFileOptions()
        options.mountPath = "/static"
        options.makeBoundary = { "B" }
        files = try StaticFiles(root: folder.path, options: options)
    }

    private func respond(_ line: String, _ fields: String = "") async throws -> Response {
        try await respond(line, fields, files)
    }

    private func respond(_ line: String, _ fields: String, _ files: StaticFiles) async throws -> Response {
        var decoder = RequestDecoder(limits: HTTPLimits())
        var input = ByteBuffer(string: "\(line) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n")
        let head = try #require(try decoder.next(&input))
        let connection = ConnectionInfo.unconnected()
        return try await files.respond(
            to: Request(head: head, body: .empty, connection: connection, bodyLimit: 0))
    }

    private func bytes(_ response: Response) -> String? {
        switch response.body.storage {
        case .bytes(let buffer): String(buffer: buffer)
        case .string(let text): text
        case .empty: ""
        default: nil
        }
    }

    @Test(
        "A small file comes from memory with its lines ready",
        arguments: ["/static/a.txt", "/%73tatic/a.txt?x=1"])
    func small(target: String) async throws {
        let response = try await respond("GET \(target)", "Accept-Encoding: gzip\r\n")
        #expect(response.status == .ok && bytes(response) == "hello" && response.declaredLength == 5)
        let lines = response.preparedFields.map { String(buffer: $0.lines) } ?? ""
        #expect(lines.contains("Content-Type: text/plain; charset=utf-8\r\n"))
        #expect(response.fields[.contentType] == "text/plain; charset=utf-8")
    }

    @Test("A large file is sent from its descriptor, whole and in part")
    func large() async throws {
        let whole = try await respond("GET /static/large.bin")
        guard case .parts(let parts) = whole.body.storage, case .file(let slice) = parts.first else {
            return #expect(Bool(false))
        }
        #expect(parts.count == 1 && slice.offset == 0 && slice.length == 70_000 && slice.descriptor >= 0)
        let part = try await respond("GET /static/large.bin", "Range: bytes=10-19\r\n")
        #expect(part.status == .partialContent && part.body.length == 10)
        #expect(part.fields[.contentRange] == "bytes 10-19/70000")
        let several = try await respond("GET /static/large.bin", "range: bytes=0-0,-1\r\n")
        #expect(several.fields[.contentType] == "multipart/byteranges; boundary=B")
        #expect(several.body.length == several.declaredLength)
    }

    @Test("RFC 9110 §13 conditions reach the files, in whatever case their names are written")
    func conditions() async throws {
        let lines = try #require(
            try await respond("GET /static/a.txt").preparedFields.map { String(buffer: $0.lines) })
        let tag = try #require(lines.split(separator: "\r\n").first { $0.hasPrefix("ETag: ") }).dropFirst(6)
        for name in ["If-None-Match", "if-none-match", "IF-NONE-MATCH"] {
            let response = try await respond("GET /static/a.txt", "\(name): \(tag)\r\n")
            #expect(
                response.status == .notModified && response.declaredLength == nil && bytes(response) == "")
        }
        #expect(try await respond("GET /static/a.txt", "If-Match: \"x\"\r\n").status == .preconditionFailed)
    }

    @Test("Errors say their status, redirects keep mount and query")
    func others() async throws {
        let missing = try await respond("GET /static/none")
        #expect(missing.status == .notFound && bytes(missing) == "Not Found\n")
        #expect(try await respond("GET /static/..%2fa.txt").status == .notFound)
        #expect(try await respond("POST /static/a.txt").fields[.allow] == "GET, HEAD, OPTIONS")
        let options = try await respond("OPTIONS /static/a.txt")
        #expect(options.status == .noContent && options.fields[.allow] == "GET, HEAD, OPTIONS")
        #expect(try await respond("OPTIONS /static/none").status == .notFound)
        let redirect = try await respond("GET /static/dir?a=1")
        #expect(redirect.status == .movedPermanently && redirect.fields[.location] == "/static/dir/?a=1")
        #expect(bytes(try await respond("GET /static/dir/")) == "index")
        for method in ["GET", "HEAD"] {
            let mount = try await respond("\(method) /%73tatic?a=1")
            #expect(mount.status == .movedPermanently && mount.fields[.location] == "/static/?a=1")
        }
        let head = try await respond("HEAD /static/a.txt")
        #expect(head.status == .ok && head.declaredLength == 5 && bytes(head) == "")
    }

    private func query(
        _ path: String, _ fields: HTTPFields = [:], method: HTTPRequest.Method = .get
    ) -> FileQuery<HTTPFields> {
        FileQuery(method: method, rawPath: ByteBuffer(string: path), fields: fields, now: now)
    }

    private func isAnswered(_ outcome: StaticFiles.Outcome) -> Bool {
        if case .answer = outcome { true } else { false }
    }

    @Test("A loop answers what is in memory alone: nothing is opened, read or digested on it")
    func memoryOnly() throws {
        let conditional: HTTPFields = [.ifNoneMatch: "*"]
        for path in ["/a.txt", "/large.bin", "/none", "/dir"] {
            #expect(!isAnswered(files.outcome(query(path), .memory)), "\(path)")
        }
        for path in ["/a.txt", "/large.bin"] { #expect(files.get(path, now: now).status == .ok) }
        for path in ["/a.txt", "/%61.txt", "/a%2etxt"] {
            #expect(isAnswered(files.outcome(query(path), .memory)), "\(path)")
        }
        #expect(!isAnswered(files.outcome(query("/large.bin"), .memory)))
        #expect(isAnswered(files.outcome(query("/large.bin", conditional), .memory)))
        #expect(isAnswered(files.outcome(query("/large.bin", method: .head), .memory)))
    }

    @Test("All spellings of a path share one digest, and requests at the same time wait for it")
    func digestedOnce() async throws {
        try folder.write("big.bin", [UInt8](repeating: 9, count: 3 << 20))
        var options = StaticFileOptions()
        options.entityTags = .content
        let digested = try StaticFiles(root: folder.path, options: options)
        // Two seconds after its change a file is at rest; the answer before that has a weak tag.
        let stamp = try #require(FileLocation(folder.path + "/big.bin").stamp)
        let pending: PendingDigest? =
            if case .file(let file) = RootFolder(path: folder.path)?.open("big.bin") {
                PendingDigest(file: file, stamp: stamp)
            } else { nil }
        let wanted = try #require(pending)
        await withTaskGroup { group in
            for _ in 0..<8 { group.addTask { await digested.digests.compute(wanted) } }
        }
        #expect(digested.digests.begun == 1)
        let value = try #require(digested.digests.value(for: stamp))
        for path in ["/big.bin", "/%62ig.bin", "/b%69g.bin", "/%62%69%67%2e%62%69%6e"] {
            #expect(digested.get(path).fields[.eTag] == "\"\(value)\"", "\(path)")
        }
        #expect(digested.digests.begun == 1)
    }

    @Test(
        "Only so much of a file is read ahead as one stretch has", arguments: [0, 1, 65_536, 70_000, 1 << 40])
    func prepares(length: Int64) throws {
        guard case .file(let file)? = RootFolder(path: folder.path)?.open("large.bin") else {
            return #expect(Bool(false))
        }
        for offset in [0, 69_999, 80_000] as [Int64] { file.prepare(offset: offset, length: length) }
        #expect(file.currentStamp() == file.stamp)
    }

    @Test("Requests of one turn of the loop share one look at a file, and no later turn does")
    func turns() throws {
        let loop = EmbeddedEventLoop()
        let checks = try #require(TurnChecks.of(LoopContext(eventLoop: loop)))
        #expect(files.get("/a.txt", now: now).status == .ok)
        var query = query("/a.txt")
        query.checks = checks
        #expect(isAnswered(files.outcome(query, .memory)))
        try folder.write("a.txt", "changed")
        #expect(isAnswered(files.outcome(query, .memory)), "it had arrived before the change")
        loop.run()
        #expect(!isAnswered(files.outcome(query, .memory)))
    }

    @Test("A mount with parameters is written in redirects as the request has it")
    func mountWithParameters() async throws {
        var options = StaticFileOptions()
        options.mountPath = "/{tenant}/s"
        let files = try StaticFiles(root: folder.path, options: options)
        #expect(try await respond("GET /x%20y/s/dir?q", "", files).fields[.location] == "/x%20y/s/dir/?q")
    }
}
