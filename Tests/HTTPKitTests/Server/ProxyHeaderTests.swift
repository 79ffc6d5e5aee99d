import NIOCore
import Testing

@testable import HTTPKit

/// A binary header (§2.2) with the address block and the vectors in `rest`.
func proxyBlock(_ versionAndCommand: UInt8, _ familyAndTransport: UInt8, _ rest: [UInt8]) -> [UInt8] {
    var bytes = ProxyHeader.signature
    bytes += [versionAndCommand, familyAndTransport]
    bytes += [UInt8(truncatingIfNeeded: rest.count >> 8), UInt8(truncatingIfNeeded: rest.count)]
    return bytes + rest
}

@Suite("PROXY protocol §2: the header")
struct ProxyHeaderTests {
    typealias Good = (bytes: [UInt8], header: ProxyHeader)
    typealias Bad = (bytes: [UInt8], error: ProxyHeaderError)

    private static func client(_ address: String, _ port: Int) -> ProxyHeader {
        guard let address = try? SocketAddress(ipAddress: address, port: port) else { return .local }
        return .client(address)
    }

    private static func long(_ count: Int) -> String { String(repeating: "f", count: count) }

    private static func line(_ text: String) -> [UInt8] { Array((text + "\r\n").utf8) }

    private static let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

    /// 192.0.2.1:56324 to 192.0.2.2:443.
    private static let v4: [UInt8] = [192, 0, 2, 1, 192, 0, 2, 2, 0xDC, 0x04, 0x01, 0xBB]
    /// 2001:db8::1, port 56324, to 2001:db8::2, port 443.
    private static let v6: [UInt8] = [
        0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
        0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0xDC, 0x04, 0x01, 0xBB,
    ]
    /// PP2_TYPE_NOOP of 5 bytes and a vector of an application's own.
    private static let vectors: [UInt8] = [0x04, 0, 5, 1, 2, 3, 4, 5, 0xE0, 0, 1, 13]

    static let good: [Good] = [
        (line("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443"), client("192.0.2.1", 56324)),
        (line("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0"), client("255.255.255.255", 65535)),
        (line("PROXY TCP6 2001:db8::1 ::1 0 65535"), client("2001:db8::1", 0)),
        (line("PROXY TCP6 2001:DB8:0:0:0:0:0:1 :: 1 2"), client("2001:db8::1", 1)),
        (
            line("PROXY TCP6 \(longest) \(longest) 65535 65535"),
            client(longest, 65535)
        ),
        (line("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2"), client("::ffff:192.0.2.1", 1)),
        (line("PROXY UNKNOWN"), .unknown),
        (line("PROXY UNKNOWN "), .unknown),
        (line("PROXY UNKNOWN whatever 1 2 3  \0\u{e9}"), .unknown),
        (line("PROXY UNKNOWN \(long(91))"), .unknown),
        (proxyBlock(0x21, 0x11, v4), client("192.0.2.1", 56324)),
        (proxyBlock(0x21, 0x12, v4), client("192.0.2.1", 56324)),
        (proxyBlock(0x21, 0x11, v4 + vectors), client("192.0.2.1", 56324)),
        (proxyBlock(0x21, 0x21, v6), client("2001:db8::1", 56324)),
        (proxyBlock(0x21, 0x22, v6 + vectors), client("2001:db8::1", 56324)),
        (proxyBlock(0x21, 0x00, []), .unknown),
        (proxyBlock(0x21, 0x00, vectors), .unknown),
        (proxyBlock(0x21, 0x01, v4), .unknown),
        (proxyBlock(0x21, 0x10, []), .unknown),
        (proxyBlock(0x21, 0x31, Array(repeating: 47, count: 216)), .unknown),
        (proxyBlock(0x21, 0x32, zeros(216) + vectors), .unknown),
        (proxyBlock(0x20, 0x00, []), .local),
        (proxyBlock(0x20, 0x00, vectors), .local),
        (proxyBlock(0x20, 0x11, v4), .local),
        // The family of LOCAL is ignored.
        (proxyBlock(0x20, 0xFF, [1]), .local),
        (proxyBlock(0x21, 0x11, v4 + zeros(4068)), client("192.0.2.1", 56324)),
    ]

    private static let badLines: [(String, ProxyHeaderError)] = [
        ("GET / HTTP/1.1\r\n", .missing), ("\r\nGET / HTTP/1.1\r\n", .missing),
        (" PROXY UNKNOWN\r\n", .missing),
        ("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", .missing), ("PROXY\r\n", .missing),
        ("PROXYUNKNOWN\r\n", .missing), ("PROXY\tUNKNOWN\r\n", .missing), ("POST / HTTP/1.1\r\n", .missing),
        ("PROXY UNKNOWN\n", .badLine), ("PROXY UNKNOWN\rx", .badLine), ("PROXY UNKNOWN x\n\r\n", .badLine),
        ("PROXY UNKNOWN x\ry\r\n", .badLine), ("PROXY UNKNOWN\r\r\n", .badLine),
        ("PROXY UNKNOWN \(long(92))\r\n", .badLine), ("PROXY \(long(200))", .badLine),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", .badLine),
        ("PROXY \r\n", .badAddress), ("PROXY UNKNOWNS\r\n", .badAddress), ("PROXY  UNKNOWN\r\n", .badAddress),
        ("PROXY unknown\r\n", .badAddress), ("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", .badAddress),
        ("PROXY TCP4\r\n", .badAddress), ("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", .badAddress),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", .badAddress),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", .badAddress),
        ("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", .badAddress),
        ("PROXY TCP4 192.0.2.1\t192.0.2.2 1 2\r\n", .badAddress),
    ]

    /// What may stand in place of an IPv4 address, an IPv6 address or a port, and is none.
    private static let noIPv4: [String] = [
        "192.0.2", "192.0.2.1.1", "192.0.2.256", "192.0.02.1", "192.0.2.01", "192.0.2.", "192.0..1", ".0.2.1",
        "192.0.2.+1", "192.0.2.-1", "192.0.2.0x1", "3221225985", "::1", "::ffff:192.0.2.1", "h", "",
    ]
    private static let noIPv6: [String] = [
        "192.0.2.1", "::1%lo", "::g", ":::", "1::2::3", "1:2:3:4:5:6:7", "12345::", "[::1]", "::1/64", "",
    ]
    private static let noPort: [String] = [
        "65536", "99999", "100000", "00", "01", "+1", "-1", "", "x", "1x", "0x1", "\u{0661}",
    ]

    private static func badWords() -> [String] {
        var words: [String] = []
        for text in noIPv4 { words += ["TCP4 \(text) 192.0.2.2 1 2", "TCP4 192.0.2.2 \(text) 1 2"] }
        for text in noIPv6 { words += ["TCP6 \(text) ::1 1 2", "TCP6 ::1 \(text) 1 2"] }
        for text in noPort {
            words += ["TCP4 192.0.2.1 192.0.2.2 \(text) 1", "TCP4 192.0.2.1 192.0.2.2 1 \(text)"]
        }
        return words
    }

    private static func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }

    private static let badBlocks: [Bad] = [
        (Array(ProxyHeader.signature.dropLast()) + [0x0B, 0x21, 0x11, 0, 0], .missing),
        (proxyBlock(0x11, 0x11, v4), .unassigned), (proxyBlock(0x31, 0x11, v4), .unassigned),
        (proxyBlock(0x01, 0x11, v4), .unassigned), (proxyBlock(0x22, 0x11, v4), .unassigned),
        (proxyBlock(0x2F, 0x11, v4), .unassigned), (proxyBlock(0x21, 0x41, v4), .unassigned),
        (proxyBlock(0x21, 0x13, v4), .unassigned), (proxyBlock(0x21, 0xFF, v4), .unassigned),
        (proxyBlock(0x21, 0x11, []), .tooShort), (proxyBlock(0x21, 0x11, Array(v4.dropLast())), .tooShort),
        (proxyBlock(0x21, 0x21, v4), .tooShort), (proxyBlock(0x21, 0x21, Array(v6.dropLast())), .tooShort),
        (proxyBlock(0x21, 0x31, zeros(215)), .tooShort),
        (proxyBlock(0x21, 0x11, v4 + zeros(4069)), .tooLong),
        (proxyBlock(0x20, 0x00, zeros(65_535)), .tooLong),
    ]

    static func bad() -> [Bad] {
        var cases = badBlocks
        for (text, error) in badLines { cases.append((Array(text.utf8), error)) }
        for words in badWords() { cases.append((line("PROXY " + words), .badAddress)) }
        return cases
    }

    private static let limit = HTTPLimits().maxProxyHeaderSize

    private enum Outcome: Equatable {
        case needMore
        case header(ProxyHeader, rest: [UInt8])
        case error(ProxyHeaderError)
    }

    private static func decode(_ bytes: some Sequence<UInt8>, limit: Int = limit) -> Outcome {
        var buffer = ByteBuffer(bytes: bytes)
        let before = buffer
        do throws(ProxyHeaderError) {
            guard let header = try ProxyHeader.decode(&buffer, limit: limit) else {
                return buffer == before ? .needMore : .error(.missing)
            }
            return .header(header, rest: Array(buffer.readableBytesView))
        } catch {
            return .error(error)
        }
    }

    @Test("a whole header is read and the bytes behind it are left; a part of one needs more")
    func goodHeaders() {
        for (bytes, header) in Self.good {
            // A long block says all in its first bytes, and has a last one.
            let cuts = bytes.count < 300 ? Array(bytes.indices) : Array(0..<40) + [bytes.count - 1]
            for end in cuts where Self.decode(bytes[..<end]) != .needMore {
                Issue.record("\(header) cut at \(end)")
            }
            let behind: [String] = ["", "G", "GET / HTTP/1.1\r\n\r\n", "\r\n", "PROXY UNKNOWN\r\n"]
            for rest in behind.map({ Array($0.utf8) }) {
                #expect(Self.decode(bytes + rest) == .header(header, rest: rest))
            }
        }
    }

    @Test(
        "what is no header is an error, whole and with bytes behind it; a part of it needs more until that is known"
    )
    func badHeaders() {
        for (bytes, error) in Self.bad() {
            let text = String(decoding: bytes.prefix(120), as: UTF8.self).debugDescription
            #expect(Self.decode(bytes) == .error(error), "\(text)")
            #expect(Self.decode(bytes + Array("GET / HTTP/1.1\r\n\r\n".utf8)) == .error(error), "\(text)")
            var isKnown = false
            for end in bytes.indices.prefix(220) {
                let outcome = Self.decode(bytes[..<end])
                if outcome != .needMore { isKnown = true }
                #expect(outcome == (isKnown ? .error(error) : .needMore), "\(text) cut at \(end)")
            }
        }
    }

    @Test("what is no PROXY header is known by its first bytes: nothing is waited for")
    func early() {
        #expect(Self.decode("G".utf8) == .error(.missing))
        #expect(Self.decode("PO".utf8) == .error(.missing))
        #expect(Self.decode("\r\nG".utf8) == .error(.missing))
        #expect(Self.decode([0x16, 0x03]) == .error(.missing))
    }

    @Test("a block longer than the limit is known by its length, before it arrives")
    func limits() {
        let block = proxyBlock(0x20, 0, Array(repeating: 0, count: 84))
        #expect(Self.decode(block, limit: 100) == .header(.local, rest: []))
        #expect(Self.decode(block, limit: 99) == .error(.tooLong))
        #expect(Self.decode(block[..<16], limit: 99) == .error(.tooLong))
        #expect(Self.decode(block[..<15], limit: 99) == .needMore)
        #expect(Self.decode(proxyBlock(0x20, 0, []), limit: 0) == .error(.tooLong))
    }

    @Test("mutated headers never trap, and end alike however they arrive", arguments: 0..<8)
    func mutations(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed) &+ 107)
        var (headers, errors) = (0, 0)
        for _ in 0..<4000 {
            var bytes = Self.good.filter { $0.bytes.count < 300 }.randomElement(using: &random)?.bytes ?? []
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let at = Int.random(in: 0..<max(1, bytes.count), using: &random)
                let byte = UInt8.random(in: 0...255, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes.insert(byte, at: at)
                case 1 where !bytes.isEmpty: bytes.remove(at: at)
                case 2 where !bytes.isEmpty: bytes[at] = byte
                default: bytes.removeSubrange(min(at + 40, bytes.count)...)
                }
            }
            let whole = Self.decode(bytes)
            switch whole {
            case .header: headers += 1
            case .error: errors += 1
            case .needMore: break
            }
            // The first outcome on the way is the last one.
            var first = Outcome.needMore
            for end in 0...bytes.count where first == .needMore {
                first = Self.decode(bytes[..<end])
                if case .header(let header, _) = first { first = .header(header, rest: Array(bytes[end...])) }
            }
            if first != whole {
                Issue.record("\(bytes): \(first), as a whole \(whole)")
                return
            }
        }
        // A test that reads all, or nothing, would show nothing.
        #expect(headers > 400 && errors > 400, "\(headers) \(errors)")
    }
}
