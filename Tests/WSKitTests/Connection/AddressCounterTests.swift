import HTTPKit
import HTTPTypes
import NIOCore
import Testing

@testable import WSKit

@Suite("How many sockets an address may have")
struct AddressCounterTests {
    @Test("a place at an endpoint is counted out once, also when the upgrade is dropped")
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
        "RFC 4291 §2.5.1: addresses that are one client",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::1"),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff"), ("2001:db8::", "2001:db8::1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"), ("fe80::1", "fe80::2"), ("::1", "::2"),
            // IPv4 inside of IPv6 (RFC 4291 §2.5.5.2).
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
        "RFC 4291 §2.5.1: addresses that are two clients",
        arguments: [
            ("192.0.2.1", "192.0.2.2"), ("192.0.2.1", "193.0.2.1"), ("2001:db8:0:1::1", "2001:db8:0:2::1"),
            ("2001:db8:0:1::1", "2001:db9:0:1::1"), ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
            ("::ffff:192.0.2.1", "192.0.2.2"),
            // Not IPv4 inside of IPv6, for all that the octets look alike.
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

    @Test("neither sockets of Unix domains nor endpoints without a limit are counted")
    func uncounted() throws {
        let counter = AddressCounter()
        let unix = try SocketAddress(unixDomainSocketPath: "/x")
        let address = try SocketAddress(ipAddress: "2001:db8::1", port: 1)
        for _ in 0..<3 {
            #expect(try counter.admit(unix, limit: 1) == nil)
            #expect(try counter.admit(address, limit: nil) == nil)
        }
    }

    @Test("by default loopback does not count, once a bound is set it does")
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
