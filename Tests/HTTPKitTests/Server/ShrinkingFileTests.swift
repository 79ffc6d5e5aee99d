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

@Suite("RFC 9112 §8: a file that becomes shorter while it is sent", .timeLimit(.minutes(3)))
struct ShrinkingFileTests {
    private static let size = 24 << 20
    private let folder: TemporaryFolder
    private let files: StaticFiles

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("large", "")
        try folder.write("small", "small")
        files = try StaticFiles(root: folder.path)
        try resize(to: Self.size)
    }

    private func resize(to size: Int) throws {
        try #require(truncate(folder.path + "/large", off_t(size)) == 0)
    }

    /// What is asked for, and how much content is announced.
    enum Part: CaseIterable, Sendable {
        case whole, range, ranges

        var field: String {
            switch self {
            case .whole: ""
            case .range: "Range: bytes=1048576-\r\n"
            case .ranges: "Range: bytes=0-20971519,20971530-25165823\r\n"
            }
        }
    }

    /// Serves the folder.
    private func serve(isSecure: Bool, test: (LiveServer) async throws -> Void) async throws {
        try await LiveServer.run {
            if isSecure { $0.security = FakeSecurity(isImmediate: true) }
            // What ends before that does not end for want of progress.
            $0.limits.writeTimeout = .seconds(3600)
        } _: { [files] in
            try await files.respond(to: $0)
        } test: {
            try await test($0)
        }
    }

    @Test(
        "its answer is not completed, the connection ends, and nothing is answered behind it: sendfile and copies",
        arguments: Part.allCases, [0, 3 << 20, size - 1])
    func broken(part: Part, left: Int) async throws {
        for isSecure in [false, true] {
            try resize(to: Self.size)
            try await serve(isSecure: isSecure) { server in
                let client = try await LiveClient(to: server, receiveBuffer: 32 << 10)
                try await client.send(
                    "GET /large HTTP/1.1\r\nHost: h\r\n\(part.field)\r\nGET /small HTTP/1.1\r\nHost: h\r\n\r\n"
                )
                var reader = AnswerReader(answering: .get, limits: HTTPLimits())
                // The answer has begun, and the most of it is still in the file.
                while reader.answer.content.isEmpty { reader.feed(try await client.receive(4096)) }
                try resize(to: left)
                reader.feed(try await client.receiveAll())
                #expect(reader.answer.status == (part == .whole ? 200 : 206))
                guard case .length(let announced) = reader.answer.framing else {
                    Issue.record("the length was announced")
                    return
                }
                #expect(reader.answer.end == .open && reader.answer.content.count < announced)
                try await waitUntil { await server.connections() == 0 }
            }
        }
    }

    @Test("one that stays as it is comes whole, and the next answer behind it", arguments: Part.allCases)
    func whole(part: Part) async throws {
        for isSecure in [false, true] {
            try await serve(isSecure: isSecure) { server in
                let client = try await LiveClient(to: server, receiveBuffer: 32 << 10)
                try await client.send(
                    "GET /large HTTP/1.1\r\nHost: h\r\n\(part.field)\r\n"
                        + "GET /small HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                var reader = AnswerReader(answering: .get, limits: HTTPLimits())
                reader.feed(try await client.receiveAll())
                #expect(reader.answer.isWhole)
                #expect(String(buffer: reader.rest).has("\r\n\r\nsmall"))
            }
        }
    }
}
