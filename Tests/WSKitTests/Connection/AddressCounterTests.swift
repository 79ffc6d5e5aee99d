import HTTPKit
import HTTPTypes
import NIOCore
import Testing

@testable import WSKit

@Suite("Maximum number of sockets per address")
struct AddressCounterTests {
    @Test("a place is released once, also when the upgrade is dropped")
    func places() throws {
        let counter = AddressCounter()
        let address = try SocketAddress(ipAddress: "192.0.2.1", port: 9)
        var place = try counter.admit(address, limit: 1)
        #expect(throws: HTTPFailure.self) { try counter.admit(address, limit: 1) }
        place = nil
        place = try counter.admit(address, limit: 1)
        place?.release()
        let other = try counter.admit(address, limit: 1)
        place?.release()
        place = nil
        #expect(throws: HTTPFailure.self) { try counter.admit(address, limit: 1) }
        other?.release()
        #expect(try counter.admit(nil, limit: 1) == nil)
    }

    @Test(
        "RFC 4291 §2.5.1: addresses of the same client",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::1"),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff"), ("2001:db8::", "2001:db8::1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"), ("fe80::1", "fe80::2"), ("::1", "::2"),
            // IPv4-mapped IPv6 addresses (RFC 4291 §2.5.5.2).
            ("192.0.2.1", "::ffff:192.0.2.1"), ("::ffff:192.0.2.1", "::ffff:c000:201"),
        ])
    func oneClient(_ one: String, _ other: String) throws {
        let counter = AddressCounter()
        let place = try counter.admit(SocketAddress(ipAddress: one, port: 1), limit: 1)
        let failure = #expect(throws: HTTPFailure.self) {
            try counter.admit(SocketAddress(ipAddress: other, port: 2), limit: 1)
        }
        #expect(failure?.status == .tooManyRequests)
        place?.release()
        #expect(try counter.admit(SocketAddress(ipAddress: other, port: 2), limit: 1) != nil)
    }

    @Test(
        "RFC 4291 §2.5.1: addresses of different clients",
        arguments: [
            ("192.0.2.1", "192.0.2.2"), ("192.0.2.1", "193.0.2.1"), ("2001:db8:0:1::1", "2001:db8:0:2::1"),
            ("2001:db8:0:1::1", "2001:db9:0:1::1"), ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
            ("::ffff:192.0.2.1", "192.0.2.2"),
            // Not IPv4-mapped, although the bytes are similar.
            ("::192.0.2.1", "192.0.2.1"), ("1::ffff:192.0.2.1", "192.0.2.1"),
            ("::fffe:192.0.2.1", "192.0.2.1"),
            ("::1:ffff:192.0.2.1", "192.0.2.1"), ("c000:201::", "192.0.2.1"),
        ])
    func twoClients(_ one: String, _ other: String) throws {
        let counter = AddressCounter()
        let places = try [one, other].map {
            try counter.admit(SocketAddress(ipAddress: $0, port: 1), limit: 1)
        }
        #expect(places.allSatisfy { $0 != nil })
    }

    @Test("Unix domain sockets and endpoints without a limit are not counted")
    func uncounted() throws {
        let counter = AddressCounter()
        let unix = try SocketAddress(unixDomainSocketPath: "/x")
        let address = try SocketAddress(ipAddress: "2001:db8::1", port: 1)
        for _ in 0..<3 {
            #expect(try counter.admit(unix, limit: 1) == nil)
            #expect(try counter.admit(address, limit: nil) == nil)
        }
    }

    @Test("loopback addresses are not counted by default, but they are once a limit is set")
    func options() throws {
        let loopback = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
        let address = try SocketAddress(ipAddress: "192.0.2.1", port: 1)
        let defaults = WebSocketOptions()
        #expect(defaults.maxSocketsPerAddress == 1024)
        #expect(try defaults.admit(loopback) == nil)
        let places = try (0..<1024).map { _ in try defaults.admit(address) }
        #expect(throws: HTTPFailure.self) { try defaults.admit(address) }
        #expect(places.count == 1024)
        let one = WebSocketOptions { $0.maxSocketsPerAddress = 1 }
        let place = try one.admit(loopback)
        #expect(place != nil)
        #expect(throws: HTTPFailure.self) { try one.admit(loopback) }
        #expect(try WebSocketOptions { $0.maxSocketsPerAddress = nil }.admit(address) == nil)
    }
}
