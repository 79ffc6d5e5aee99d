import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("A handler's file: RFC 9110 §13, §14, RFC 6266")
struct FileDownloadTests {
    private let folder: TemporaryFolder
    private static let name = ContentDisposition.attachment("Übersicht.pdf")

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("in/a.bin", "0123456789")
        try folder.write("secret", "s")
        try folder.link("in/out", to: "../secret")
        try folder.link("in/b.bin", to: "a.bin")
        try folder.setModified("in/a.bin", seconds: 1_700_000_000)
    }

    private func request(_ method: String = "GET", _ fields: String = "") throws -> Request {
        var decoder = RequestDecoder(limits: HTTPLimits())
        var input = ByteBuffer(string: "\(method) / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n")
        let head = try #require(try decoder.next(&input))
        return Request(head: head, body: .empty, connection: .unconnected(), bodyLimit: 0)
    }

    private func slices(_ response: Response) -> [Range<Int>] {
        guard case .parts(let parts) = response.body.storage else { return [] }
        return parts.compactMap { part in
            guard case .file(let slice) = part else { return nil }
            return slice.offset..<(slice.offset + slice.length)
        }
    }

    @Test("The whole file, under its name, with the type that the name says")
    func whole() async throws {
        for method in ["GET", "HEAD", "POST"] {
            let response = try await Response.file(
                folder.path + "/in/a.bin", for: try request(method), Self.name)
            #expect(response.status == .ok && response.declaredLength == 10)
            #expect(slices(response) == (method == "HEAD" ? [] : [0..<10]))
            #expect(response.fields[.contentType] == "application/pdf")
            #expect(response.fields[.contentDisposition] == Self.name.fieldValue)
            #expect(response.fields[.cacheControl] == "no-cache" && response.fields[.eTag] != nil)
        }
    }

    @Test("Ranges and conditions count for GET, and for no method that changes something")
    func conditions() async throws {
        let path = folder.path + "/in/a.bin"
        let tag = try #require(try await Response.file(path, for: try request()).fields[.eTag])
        let cases = [
            ("GET", "Range: bytes=2-4\r\n", 206), ("GET", "Range: bytes=10-\r\n", 416),
            ("GET", "If-None-Match: \(tag)\r\n", 304), ("GET", "If-Match: \"x\"\r\n", 412),
            ("GET", "Range: bytes=0-0,9-9\r\n", 206), ("POST", "If-None-Match: \(tag)\r\n", 200),
            ("POST", "Range: bytes=2-4\r\n", 200),
        ]
        for (method, fields, status) in cases {
            let response = try await Response.file(path, for: try request(method, fields), Self.name)
            #expect(response.status.code == status, "\(method) \(fields)")
            #expect((response.fields[.contentDisposition] != nil) == (status < 300))
        }
        let part = try await Response.file(path, for: try request("GET", "Range: bytes=2-4\r\n"))
        #expect(slices(part) == [2..<5] && part.fields[.contentRange] == "bytes 2-4/10")
    }

    @Test("The type and the Cache-Control may be the handler's own")
    func own() async throws {
        let response = try await Response.file(
            "a.bin", in: folder.path + "/in", for: try request(), .inline(nil), contentType: "text/x",
            cacheControl: .noStore)
        #expect(response.fields[.contentType] == "text/x" && response.fields[.cacheControl] == "no-store")
        #expect(response.fields[.contentDisposition] == "inline")
    }

    @Test(
        "Nothing leads out of the folder",
        arguments: ["out", "../secret", "/etc/hostname", "missing", ".", "", "a.bin\0"])
    func outside(path: String) async throws {
        let request = try request()
        let failure = await #expect(throws: HTTPFailure.self) {
            try await Response.file(path, in: folder.path + "/in", for: request)
        }
        #expect(failure?.status == .notFound)
        #expect(try await Response.file("b.bin", in: folder.path + "/in", for: request).status == .ok)
    }
}
