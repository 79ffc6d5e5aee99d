import Testing

@testable import HTTPKit

@Suite("Addresses to listen on, as text")
struct BindAddressTests {
    static let valid: [(String, BindAddress)] = [
        ("127.0.0.1:8080", .hostname("127.0.0.1", port: 8080)),
        ("[::]:8443", .hostname("::", port: 8443)),
        ("localhost:0", .hostname("localhost", port: 0)),
        ("unix:/run/app.sock", .unix(path: "/run/app.sock")),
        ("unix:app.sock,mode=660", .unix(path: "app.sock", mode: 0o660)),
        ("unix:/run/app.sock,mode=0", .unix(path: "/run/app.sock", mode: 0)),
        ("unix:/run/a b:c", .unix(path: "/run/a b:c")),
        ("fd:3", .inherited(descriptor: 3)),
    ]

    @Test("are parsed, and written as they are parsed", arguments: valid)
    func parse(text: String, address: BindAddress) throws {
        #expect(try BindAddress(text) == address)
        #expect(address.description == text)
    }

    private static let long = "unix:/" + String(repeating: "x", count: BindAddress.maxPathLength)

    static let invalid: [(String, BindAddressError.Problem)] = [
        ("", .noPort), ("127.0.0.1", .noPort), ("[::1]", .noPort), ("8080", .noPort),
        ("127.0.0.1:", .port), ("127.0.0.1:65536", .port), ("127.0.0.1:+80", .port), ("h:8o", .port),
        ("h:99999999999999999999", .port), (":8080", .host), ("[::1:80", .host), ("[]:80", .host),
        ("a b:80", .host), ("http:80/x:80", .noBrackets), ("http//x:80", .host), ("::1:80", .noBrackets),
        ("unix:", .noPath), ("unix:,mode=660", .noPath), (long, .longPath),
        ("unix:/x,mode=", .mode), ("unix:/x,mode=8", .mode), ("unix:/x,mode=1777", .mode),
        ("unix:/x,mode=-1", .mode), ("unix:/x,owner=me", .option("owner=me")), ("unix:/x,", .option("")),
        ("unix:/x,mode=660,mode=600", .option("mode=600")),
        ("fd:", .descriptor), ("fd:2", .descriptor), ("fd:x", .descriptor), ("fd:4294967299", .descriptor),
    ]

    @Test("are rejected with the text and the reason", arguments: invalid)
    func reject(text: String, problem: BindAddressError.Problem) {
        let error = #expect(throws: BindAddressError.self) { try BindAddress(text) }
        #expect(error == BindAddressError(text: text, problem: problem))
        #expect(error?.description.hasPrefix("\"\(text)\" has ") == true)
    }

    @Test("a path may be as long as the system allows")
    func longest() throws {
        let path = "/" + String(repeating: "x", count: BindAddress.maxPathLength - 1)
        #expect(try BindAddress("unix:" + path) == .unix(path: path))
    }
}
