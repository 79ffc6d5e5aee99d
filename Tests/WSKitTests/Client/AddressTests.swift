import Testing

@testable import WSKit

@Suite struct AddressTests {
    @Test(
        "RFC 6455 §3: addresses",
        arguments: [
            ("ws://localhost", "localhost", 80, "/", "localhost"),
            ("WS://h:8080/a?b", "h", 8080, "/a?b", "h:8080"),
            ("ws://h?x=1", "h", 80, "/?x=1", "h"),
            ("ws://h:/", "h", 80, "/", "h"),
            ("wss://h", "h", 443, "/", "h"),
            ("ws://[::1]:81/p", "::1", 81, "/p", "[::1]:81"),
            ("ws://[2001:db8::1]", "2001:db8::1", 80, "/", "[2001:db8::1]"),
        ])
    func accepted(_ text: String, _ host: String, _ port: Int, _ target: String, _ authority: String) throws {
        let address = try WebSocketAddress(text)
        #expect(address.host == host && address.port == port)
        #expect(address.target == target && address.authority == authority)
    }

    @Test(
        "invalid addresses",
        arguments: [
            "", "http://h", "ws://", "ws://:80", "ws://u@h", "ws://h/#f", "ws://h#f", "ws://h:0",
            "ws://h:65536",
            "ws://h:+80", "ws://h:x", "ws://[::1]x", "ws://h/ö", "ws://h/a b", "ws://h\r\nX: y/", "ws://h i/",
            "ws://ö/",
        ])
    func refused(_ text: String) {
        #expect(throws: WebSocketAddressError.self) { try WebSocketAddress(text) }
    }
}
