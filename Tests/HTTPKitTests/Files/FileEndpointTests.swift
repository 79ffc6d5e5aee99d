import HTTPTypes
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPKit

@Suite("Static files as an endpoint")
struct FileEndpointTests {
    private let folder: TemporaryFolder
    private let files: StaticFiles

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

    private func respond(_ line: String, _ fields: String = "") throws -> Response {
        var decoder = RequestDecoder(limits: HTTPLimits())
        var input = ByteBuffer(string: "\(line) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n")
        let head = try #require(try decoder.next(&input))
        let connection = ConnectionInfo(remoteAddress: nil, loop: LoopContext(eventLoop: EmbeddedEventLoop()))
        return files.respond(to: Request(head: head, body: .empty, connection: connection, bodyLimit: 0))
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
    func small(target: String) throws {
        let response = try respond("GET \(target)", "Accept-Encoding: gzip\r\n")
        #expect(response.status == .ok && bytes(response) == "hello" && response.declaredLength == 5)
        let lines = response.preparedFields.map { String(buffer: $0) } ?? ""
        #expect(lines.contains("Content-Type: text/plain; charset=utf-8\r\n"))
        #expect(response.fields[.contentType] == "text/plain; charset=utf-8")
    }

    @Test("A large file is sent from its descriptor, whole and in part")
    func large() throws {
        let whole = try respond("GET /static/large.bin")
        guard case .parts(let parts) = whole.body.storage, case .file(let slice) = parts.first else {
            return #expect(Bool(false))
        }
        #expect(parts.count == 1 && slice.offset == 0 && slice.length == 70_000 && slice.descriptor >= 0)
        let part = try respond("GET /static/large.bin", "Range: bytes=10-19\r\n")
        #expect(part.status == .partialContent && part.body.length == 10)
        #expect(part.fields[.contentRange] == "bytes 10-19/70000")
        let several = try respond("GET /static/large.bin", "range: bytes=0-0,-1\r\n")
        #expect(several.fields[.contentType] == "multipart/byteranges; boundary=B")
        #expect(several.body.length == several.declaredLength)
    }

    @Test("RFC 9110 §13 conditions reach the files, in whatever case their names are written")
    func conditions() throws {
        let lines = try #require(try respond("GET /static/a.txt").preparedFields.map { String(buffer: $0) })
        let tag = try #require(lines.split(separator: "\r\n").first { $0.hasPrefix("ETag: ") }).dropFirst(6)
        for name in ["If-None-Match", "if-none-match", "IF-NONE-MATCH"] {
            let response = try respond("GET /static/a.txt", "\(name): \(tag)\r\n")
            #expect(
                response.status == .notModified && response.declaredLength == nil && bytes(response) == "")
        }
        #expect(try respond("GET /static/a.txt", "If-Match: \"x\"\r\n").status == .preconditionFailed)
    }

    @Test("Errors say their status, redirects keep mount and query")
    func others() throws {
        let missing = try respond("GET /static/none")
        #expect(missing.status == .notFound && bytes(missing) == "Not Found\n")
        #expect(try respond("GET /static/..%2fa.txt").status == .notFound)
        #expect(try respond("POST /static/a.txt").fields[.allow] == "GET, HEAD, OPTIONS")
        let options = try respond("OPTIONS /static/a.txt")
        #expect(options.status == .noContent && options.fields[.allow] == "GET, HEAD, OPTIONS")
        #expect(try respond("OPTIONS /static/none").status == .notFound)
        let redirect = try respond("GET /static/dir?a=1")
        #expect(redirect.status == .movedPermanently && redirect.fields[.location] == "/static/dir/?a=1")
        #expect(bytes(try respond("GET /static/dir/")) == "index")
        for method in ["GET", "HEAD"] {
            let mount = try respond("\(method) /%73tatic?a=1")
            #expect(mount.status == .movedPermanently && mount.fields[.location] == "/static/?a=1")
        }
        let head = try respond("HEAD /static/a.txt")
        #expect(head.status == .ok && head.declaredLength == 5 && bytes(head) == "")
    }
}
