import Testing

@testable import OnePortTLS

@Suite("The certificate for a host name")
struct HostNamesTests {
    private let candidates = [
        HostNames(["example.com", "www.example.com"]), HostNames(["*.example.com", "example.net"]),
        HostNames(["api.example.com"]),
    ]

    @Test(
        "is the one that names it exactly, else one whose pattern it fits",
        arguments: [
            ("example.com", 0), ("WWW.Example.COM", 0), ("example.com.", 0), ("mail.example.com", 1),
            ("api.example.com", 2), ("example.net", 1),
        ])
    func found(host: String, index: Int) {
        #expect(HostNames.index(for: host, in: candidates) == index)
    }

    @Test(
        "is none where nothing fits; a pattern stands for one label",
        arguments: [
            "example.org", "a.b.example.com", "", ".", ".example.com", "com", "*.example.net",
            "notexample.com",
        ])
    func missing(host: String) {
        #expect(HostNames.index(for: host, in: candidates) == nil)
    }

    @Test("the names are those of the certificate")
    func certificate() throws {
        let pair = try KeyPair(reading: Fixture.files("example"))
        #expect(pair.names == HostNames(["example.com", "*.example.com"]))
    }

    @Test("without alternative names, it is the common name")
    func commonName() throws {
        let authority = try #require(try KeyPair.certificates(in: Fixture.path("authority.pem")).first)
        #expect(HostNames(of: authority) == HostNames(["Test authority"]))
    }
}
