import NIOSSL
import OnePort
import Testing

@testable import OnePortTLS

@Suite("The certificates of a server")
struct ServerCertificatesTests {
    private func settings(_ files: TLSSettings.Files...) -> TLSSettings {
        var settings = TLSSettings()
        settings.certificates = files
        return settings
    }

    @Test("a file that cannot be used is an error that names it")
    func errors() throws {
        let folder = try Folder()
        try folder.write(Array("nothing".utf8), to: "nothing")
        let nothing = folder.path("nothing")
        let missing = folder.path("missing")
        let (certificate, key) = (Fixture.path("localhost.pem"), Fixture.path("localhost.key"))
        let other = Fixture.path("example.key")
        let expected: [(TLSSettings.Files, TLSError)] = [
            (
                .init(certificate: missing, key: key),
                .unreadable(file: missing, reason: "No such file or directory")
            ),
            (
                .init(certificate: folder.path, key: key),
                .unreadable(file: folder.path, reason: "Is a directory")
            ),
            (
                .init(certificate: certificate, key: missing),
                .unreadable(file: missing, reason: "No such file or directory")
            ),
            (.init(certificate: nothing, key: key), .noCertificate(file: nothing)),
            (.init(certificate: key, key: key), .noCertificate(file: key)),
            (.init(certificate: certificate, key: nothing), .noKey(file: nothing)),
            (.init(certificate: certificate), .noKey(file: certificate)),
            (.init(certificate: certificate, key: other), .mismatch(certificate: certificate, key: other)),
        ]
        for (files, error) in expected {
            #expect(throws: error) { try KeyPair(reading: files) }
            #expect("\(error)".contains(files.certificate) || "\(error)".contains(files.key ?? ""))
        }
        let large = [UInt8](repeating: 0x20, count: (4 << 20) + 1)
        try folder.write(large, to: "large")
        #expect(
            throws: TLSError.unreadable(file: folder.path("large"), reason: "it has more than 4194304 bytes")
        ) {
            try KeyPair.certificates(in: folder.path("large"))
        }
    }

    @Test("the key may be in the certificate's file")
    func oneFile() throws {
        let folder = try Folder()
        try folder.write(
            try Fixture.bytes("localhost.pem") + Fixture.bytes("localhost.key"), to: "both.pem")
        let pair = try KeyPair(reading: .init(certificate: folder.path("both.pem")))
        #expect(pair.chain.count == 1)
    }

    @Test("are read again when the files change, and only then")
    func reload() async throws {
        let folder = try Folder()
        try folder.install("localhost")
        let log = NotedLog()
        let certificates = try await ServerCertificates(settings: settings(folder.files), logger: log.logger)
        let first = try certificates.context(offering: ["h2"])
        await certificates.reload()
        #expect(try certificates.context(offering: ["h2"]) === first && log.lines.isEmpty)
        try folder.install("example")
        await certificates.reload()
        #expect(try certificates.context(offering: ["h2"]) !== first)
        #expect(log.lines == ["info certificates were read again"])
        await certificates.reload()
        #expect(log.lines.count == 1)
        await certificates.reload(always: true)
        #expect(log.lines.count == 2)
    }

    @Test("stay as they are while the new files are not valid, which is said once for each change")
    func broken() async throws {
        let folder = try Folder()
        try folder.install("localhost")
        let log = NotedLog()
        let certificates = try await ServerCertificates(settings: settings(folder.files), logger: log.logger)
        let first = try certificates.context(offering: [])
        // A program that renews certificates writes one file after the other.
        try folder.write(try Fixture.bytes("example.pem"), to: "server.pem", mode: 0o644)
        await certificates.reload()
        await certificates.reload()
        #expect(log.lines == ["error certificates stay as they are"])
        #expect(
            log.metadata(of: log.lines[0])?["error"]?.contains("is not the one of the certificate") == true)
        #expect(try certificates.context(offering: []) === first)
        try folder.write(try Fixture.bytes("example.key"), to: "server.key")
        await certificates.reload()
        #expect(log.lines.last == "info certificates were read again")
        #expect(try certificates.context(offering: []) !== first)
    }

    @Test("the contexts differ by the protocols that they offer")
    func contexts() async throws {
        let certificates = try await ServerCertificates(
            settings: settings(Fixture.files("localhost")), logger: NotedLog().logger)
        let one = try certificates.context(offering: ["h2", "http/1.1"])
        #expect(try certificates.context(offering: ["http/1.1"]) !== one)
        #expect(try certificates.context(offering: ["h2", "http/1.1"]) === one)
        #expect(one.configuration.applicationProtocols == ["h2", "http/1.1"])
        #expect(one.configuration.minimumTLSVersion == .tlsv12)
    }

    @Test("a key that everybody may read is warned of, and so is a certificate whose time is over")
    func warnings() async throws {
        let folder = try Folder()
        try folder.install("expired", mode: 0o644)
        let log = NotedLog()
        _ = try await ServerCertificates(settings: settings(folder.files), logger: log.logger)
        #expect(log.lines.count == 2)
        #expect(log.metadata(of: log.lines[0])?["file"] == folder.path("server.key"))
        #expect(log.lines.last == "warning a certificate has expired")
        try folder.install("localhost", mode: 0o640)
        let quiet = NotedLog()
        _ = try await ServerCertificates(settings: settings(folder.files), logger: quiet.logger)
        #expect(quiet.lines.isEmpty)
    }

    @Test(
        "are warned of within 14 days of their end",
        arguments: [
            (13, "warning a certificate expires soon"), (15, nil), (-1, "warning a certificate has expired"),
        ])
    func expiry(days: Int, warning: String?) async throws {
        let log = NotedLog()
        let certificates = try await ServerCertificates(
            settings: settings(Fixture.files("localhost")), logger: log.logger)
        let expiry = try KeyPair(reading: Fixture.files("localhost")).expiry
        certificates.warnOfExpiry(now: expiry - days * 86_400)
        #expect(
            log.lines.filter { $0.contains("certificate ") && !$0.contains("key") }
                == [warning].compactMap { $0 })
    }
}
