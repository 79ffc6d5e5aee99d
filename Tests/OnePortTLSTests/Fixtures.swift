import Logging
import OnePort
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The certificates of the tests, which `Fixtures/make` has made.
enum Fixture {
    static let folder = String(#filePath.dropLast("Fixtures.swift".count)) + "Fixtures/"

    static func path(_ name: String) -> String { folder + name }

    static func files(_ name: String) -> TLSSettings.Files {
        TLSSettings.Files(certificate: path("\(name).pem"), key: path("\(name).key"))
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        let file = try #require(fopen(path(name), "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes.prefix(count))
    }
}

/// A folder of the test's own, which is removed with it.
final class Folder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/oneport-tls-XXXXXX".utf8CString)
        path = try template.withUnsafeMutableBufferPointer { buffer in
            let start = try #require(buffer.baseAddress)
            let made = try #require(mkdtemp(start))
            return String(cString: made)
        }
    }

    deinit {
        for name in names { unlink(path + "/" + name) }
        rmdir(path)
    }

    private let written = Mutex<Set<String>>([])
    private var names: Set<String> { written.withLock { $0 } }

    /// Writes a file with one name into another's place, as programs do that renew certificates.
    func write(_ bytes: [UInt8], to name: String, mode: mode_t = 0o600) throws {
        let (final, new) = (path + "/" + name, path + "/" + name + ".new")
        let file = try #require(fopen(new, "w"))
        try #require(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        fclose(file)
        chmod(new, mode)
        try #require(rename(new, final) == 0)
        written.withLock { _ = $0.insert(name) }
    }

    func path(_ name: String) -> String { path + "/" + name }

    /// Puts a certificate and its key to where the server reads them.
    func install(_ name: String, mode: mode_t = 0o600) throws {
        try write(try Fixture.bytes("\(name).pem"), to: "server.pem", mode: 0o644)
        try write(try Fixture.bytes("\(name).key"), to: "server.key", mode: mode)
    }

    var files: TLSSettings.Files {
        TLSSettings.Files(certificate: path("server.pem"), key: path("server.key"))
    }
}

/// What is logged, in order: `level message`, and its metadata.
final class NotedLog: Sendable {
    private let noted = Mutex<[(line: String, metadata: [String: String])]>([])

    var lines: [String] { noted.withLock { $0.map(\.line) } }
    func metadata(of line: String) -> [String: String]? {
        noted.withLock { $0.first { $0.line == line }?.metadata }
    }

    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: NotedLog
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).mapValues { "\($0)" }
            log.noted.withLock { $0.append(("\(event.level) \(event.message)", metadata)) }
        }
    }
}
