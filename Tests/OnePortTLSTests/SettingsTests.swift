import HTTPKit
import OnePort
import Testing

@testable import OnePortTLS

@Suite("The settings of TLS")
struct SettingsTests {
    private func parse(_ arguments: String...) throws(ConfigurationError) -> AppConfiguration {
        try AppConfiguration.parse(arguments: ["app"] + arguments, environment: [:])
    }

    @Test("each certificate has its key, or holds it")
    func files() throws {
        #expect(try parse().tls == TLSSettings())
        let two = try parse(
            "--tls-certificate=a.pem", "--tls-key", "a.key", "--tls-certificate", "b.pem", "--tls-key=b.key",
            "--tls-min-version=1.3", "--tls-client-ca=ca.pem", "--redirect-http")
        #expect(
            two.tls.certificates == [
                .init(certificate: "a.pem", key: "a.key"), .init(certificate: "b.pem", key: "b.key"),
            ])
        #expect(
            two.tls.minVersion == .tls13 && two.tls.clientAuthorities == "ca.pem" && two.tls.redirectsHTTP)
        #expect(try parse("--tls-certificate=a.pem,b.pem").tls.certificates.map(\.key) == [nil, nil])
        let error = #expect(throws: ConfigurationError.self) {
            try parse("--tls-certificate=a.pem,b.pem", "--tls-key=a.key")
        }
        #expect(
            error.map { "\($0)" }
                == "tls-certificate has 2 files and tls-key has 1; each certificate needs its key")
        #expect(throws: ConfigurationError.self) { try parse("--tls-min-version=1.1") }
    }

    @Test("limits of handshakes")
    func limits() throws {
        let limits = try parse("--handshake-timeout=3", "--max-handshakes=7").limits
        #expect(limits.handshakeTimeout == .seconds(3) && limits.maxUnfinishedHandshakes == 7)
    }

    @Test("tls: stands before an address; without one, host and port speak TLS if there is a certificate")
    func listeners() throws {
        func listeners(_ arguments: String...) throws -> [String] {
            try AppConfiguration.parse(arguments: ["app"] + arguments, environment: [:]).listeners.map(
                \.description)
        }
        #expect(
            try listeners("--listen", "tls:[::]:8443", "--listen=tls:unix:/x") == [
                "tls:[::]:8443", "tls:unix:/x",
            ])
        let (certificate, port, unix) = ("--tls-certificate=a.pem", "--port=1", "--listen=unix:/x")
        #expect(try listeners(port, unix) == ["127.0.0.1:1", "unix:/x"])
        #expect(try listeners(port, unix, certificate) == ["tls:127.0.0.1:1", "unix:/x"])
        #expect(try listeners(port, "--listen=tls:h:2", certificate) == ["127.0.0.1:1", "tls:h:2"])
        #expect(throws: ConfigurationError.self) { try listeners("--listen=tls:h") }
    }

    /// How the application fails to start.
    private func failure(_ arguments: String..., tls: Bool) async throws -> String {
        let app = App(
            configuration: try AppConfiguration.parse(
                arguments: ["app", "--port=0"] + arguments, environment: [:]))
        if tls { app.tls() }
        do {
            try await app.serve()
            return "it has started"
        } catch {
            return "\(error)"
        }
    }

    @Test("settings that do not fit together stop the start with a sentence")
    func contradictions() async throws {
        let certificate = "--tls-certificate=\(Fixture.path("localhost.pem"))"
        let key = "--tls-key=\(Fixture.path("localhost.key"))"
        #expect(try await failure(certificate, key, tls: false).contains("OnePortTLS"))
        #expect(try await failure("--listen=tls:127.0.0.1:0", tls: false).contains("OnePortTLS"))
        #expect(try await failure("--listen=tls:127.0.0.1:0", tls: true).contains("needs a certificate"))
        let other = try await failure(certificate, "--tls-key=\(Fixture.path("example.key"))", tls: true)
        #expect(other.contains("example.key is not the one of the certificate in"))
        #expect(try await failure(certificate, tls: true).contains("holds no valid private key"))
    }
}
