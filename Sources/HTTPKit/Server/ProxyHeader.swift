import NIOCore

/// What a proxy says about a connection in front of its first byte (HAProxy's "The PROXY protocol, versions 1 & 2").
///
/// It is a line of text (§2.1) or a binary block (§2.2). The decoder does no I/O and has no state: the caller keeps the
/// bytes until there are enough of them.
enum ProxyHeader: Equatable {
    /// The proxy speaks for itself, for instance to check the server's health (`LOCAL`, §2.2).
    case local
    /// The proxy forwards for a client and does not say its IP address (`UNKNOWN`, §2.1; `AF_UNSPEC`, `AF_UNIX`, §2.2).
    case unknown
    /// The proxy forwards for the client with this address and port.
    case client(SocketAddress)

    /// Takes the header from the front of `buffer`. The bytes behind it stay there.
    ///
    /// - Parameter limit: the longest binary header in bytes, `HTTPLimits.maxProxyHeaderSize`.
    /// - Returns: `nil` if more bytes are needed. `buffer` is as it was then.
    /// - Throws: `ProxyHeaderError` if it is no header, whatever else may come.
    static func decode(
        _ buffer: inout ByteBuffer, limit: Int
    ) throws(ProxyHeaderError) -> ProxyHeader? {
        guard let first = buffer.readableBytesView.first else { return nil }
        return first == signature[0] ? try decodeBlock(&buffer, limit) : try decodeLine(&buffer)
    }
}

/// Why bytes are no PROXY header. The connection is closed without a response (§2.1, §2.2).
enum ProxyHeaderError: Error, Equatable {
    /// Neither the text nor the binary signature begins it.
    case missing
    /// The line has no CRLF within 107 bytes, or a single CR or LF (§2.1).
    case badLine
    /// The line does not name a protocol, or its addresses and ports (§2.1).
    case badAddress
    /// A version other than 2, or a command, family or transport that is not assigned (§2.2).
    case unassigned
    /// The block is shorter than its addresses (§2.2).
    case tooShort
    /// The block is longer than `HTTPLimits.maxProxyHeaderSize`.
    case tooLong

    /// What the log says.
    var reason: String {
        switch self {
        case .missing: "no PROXY header"
        case .badLine: "a PROXY line without its end"
        case .badAddress: "a malformed PROXY line"
        case .unassigned: "a PROXY header of an unknown version, command or family"
        case .tooShort: "a PROXY header without its addresses"
        case .tooLong: "a PROXY header that is too long"
        }
    }
}

// MARK: §2.1: version 1

extension ProxyHeader {
    /// The longest line with its CRLF (§2.1).
    static let maxLineLength = 107

    private static func decodeLine(_ buffer: inout ByteBuffer) throws(ProxyHeaderError) -> ProxyHeader? {
        let bytes = buffer.readableBytesView.prefix(maxLineLength)
        guard zip(bytes, "PROXY ".utf8).allSatisfy(==) else { throw .missing }
        let line = bytes.prefix { $0 != carriageReturn && $0 != lineFeed }
        let rest = bytes.dropFirst(line.count)
        guard rest.count > 1 else {
            // Only a CR may be the last byte so far, and only if its LF fits.
            guard bytes.count < maxLineLength, rest.first != lineFeed else { throw .badLine }
            return nil
        }
        guard rest.starts(with: [carriageReturn, lineFeed]) else { throw .badLine }
        let header = try lineHeader(line)
        buffer.moveReaderIndex(forwardBy: line.count + 2)
        return header
    }

    /// `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443`: source and destination, then their ports. What stands behind
    /// `UNKNOWN` is ignored.
    private static func lineHeader(_ line: ByteBufferView) throws(ProxyHeaderError) -> ProxyHeader {
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        if words.count > 1, words[1] == "UNKNOWN" { return .unknown }
        guard words.count == 6, let port = portNumber(words[4]), portNumber(words[5]) != nil else {
            throw .badAddress
        }
        let isAddress: (String) -> Bool
        switch words[1] {
        case "TCP4": isAddress = isIPv4Address
        case "TCP6": isAddress = isIPv6Address
        default: throw .badAddress
        }
        guard isAddress(words[2]), isAddress(words[3]),
            let source = try? SocketAddress(ipAddress: words[2], port: port)
        else { throw .badAddress }
        return .client(source)
    }

    private static func portNumber(_ text: String) -> Int? {
        number(text.utf8[...], maxDigits: 5).flatMap { UInt16(exactly: $0) }.map(Int.init)
    }

    /// Four numbers of 0 to 255 without leading zeros.
    private static func isIPv4Address(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { number($0, maxDigits: 3).flatMap { UInt8(exactly: $0) } != nil }
    }

    /// The text form of an IPv6 address without a zone. The form with an IPv4 address at its end is taken too, since
    /// systems write it for mapped addresses.
    private static func isIPv6Address(_ text: String) -> Bool {
        text.utf8.contains(UInt8(ascii: ":"))
            && text.utf8.allSatisfy { $0.hexDigitValue != nil || ":.".utf8.contains($0) }
            && (try? SocketAddress(ipAddress: text, port: 0))?.protocol == .inet6
    }

    /// A decimal number without leading zeros.
    private static func number(_ text: Substring.UTF8View, maxDigits: Int) -> Int? {
        guard (1...maxDigits).contains(text.count), text.allSatisfy(\.isDigit),
            text.count == 1 || text.first != UInt8(ascii: "0")
        else { return nil }
        return text.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    private static let carriageReturn = UInt8(ascii: "\r")
    private static let lineFeed = UInt8(ascii: "\n")
}

// MARK: §2.2: version 2

extension ProxyHeader {
    /// Begins a binary header.
    static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    /// Signature, version and command, family and transport, and the length of what follows.
    private static let fixedLength = 16

    /// The addresses behind the fixed part, and type-length-value vectors behind them, which are skipped.
    private static func decodeBlock(
        _ buffer: inout ByteBuffer, _ limit: Int
    ) throws(ProxyHeaderError) -> ProxyHeader? {
        let bytes = buffer.readableBytesView
        guard zip(bytes, signature).allSatisfy(==) else { throw .missing }
        guard bytes.count >= fixedLength else { return nil }
        let start = buffer.readerIndex
        guard let kinds = buffer.getInteger(at: start + 12, as: UInt16.self),
            let length = buffer.getInteger(at: start + 14, as: UInt16.self)
        else { return nil }
        let total = fixedLength + Int(length)
        let form = try blockForm(
            versionAndCommand: UInt8(kinds >> 8), familyAndTransport: UInt8(kinds & 0xFF))
        guard total <= limit else { throw .tooLong }
        guard Int(length) >= form.addressesLength else { throw .tooShort }
        guard bytes.count >= total else { return nil }
        let header = form.header(buffer, at: start + fixedLength)
        buffer.moveReaderIndex(forwardBy: total)
        return header
    }

    /// What the block holds.
    private enum Form {
        case local, unspecified, unix
        /// Addresses of that many bytes, two of them, then two ports.
        case internet(addressLength: Int)

        /// Two addresses, and two ports where there are any.
        var addressesLength: Int {
            switch self {
            case .local, .unspecified: 0
            case .unix: 2 * 108
            case .internet(let length): 2 * length + 2 * 2
            }
        }

        func header(_ buffer: ByteBuffer, at index: Int) -> ProxyHeader {
            switch self {
            case .local: return .local
            case .unspecified, .unix: return .unknown
            case .internet(let length):
                guard let address = buffer.getSlice(at: index, length: length),
                    let port = buffer.getInteger(at: index + 2 * length, as: UInt16.self),
                    let source = try? SocketAddress(packedIPAddress: address, port: Int(port))
                else { return .unknown }
                return .client(source)
            }
        }
    }

    private static func blockForm(
        versionAndCommand: UInt8, familyAndTransport: UInt8
    ) throws(ProxyHeaderError) -> Form {
        switch versionAndCommand {
        // The family is ignored (§2.2).
        case 0x20: return .local
        case 0x21: break
        default: throw .unassigned
        }
        let (family, transport) = (familyAndTransport >> 4, familyAndTransport & 0xF)
        guard family <= 3, transport <= 2 else { throw .unassigned }
        switch (family, transport) {
        // With an unspecified family or transport the addresses are ignored (§2.2).
        case (0, _), (_, 0): return .unspecified
        case (1, _): return .internet(addressLength: 4)
        case (2, _): return .internet(addressLength: 16)
        default: return .unix
        }
    }
}
