import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The addresses that a server listens on for the host that it was given.
enum HostLookup {
    /// The addresses that need no lookup: an IP address is itself, and `localhost` is both loopback addresses
    /// (RFC 6761 §6.3), whatever the machine's files say.
    static func knownAddresses(_ host: String, port: Int) -> [SocketAddress]? {
        if let address = try? SocketAddress(ipAddress: host, port: port) { return [address] }
        guard ["localhost", "localhost."].contains(host.lowercased()) else { return nil }
        return ["127.0.0.1", "::1"].compactMap { try? SocketAddress(ipAddress: $0, port: port) }
    }

    /// The addresses of a name, in the system's order. It waits for the name server, so it blocks its thread.
    ///
    /// - Throws: `HostLookupError`.
    static func lookUp(_ host: String, port: Int) throws(HostLookupError) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE
        #if canImport(Glibc)
            hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        #else
            hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        guard code == 0, let first = list else { throw HostLookupError(code: code) }
        defer { freeaddrinfo(first) }
        var addresses: [SocketAddress] = []
        var next: UnsafeMutablePointer<addrinfo>? = first
        while let entry = next {
            next = entry.pointee.ai_next
            guard let text = text(of: entry.pointee),
                let address = try? SocketAddress(ipAddress: text, port: port), !addresses.contains(address)
            else { continue }
            addresses.append(address)
        }
        return addresses
    }

    /// The address of an entry as text.
    private static func text(of entry: addrinfo) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { text in
            guard let start = text.baseAddress,
                getnameinfo(
                    entry.ai_addr, entry.ai_addrlen, start, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
                    == 0
            else { return nil }
            return String(cString: start)
        }
    }
}

/// A name has no address.
struct HostLookupError: Error, CustomStringConvertible {
    /// The code of getaddrinfo(3).
    let code: CInt

    var description: String {
        let reason = gai_strerror(code).map { String(cString: $0) } ?? "error \(code)"
        return "\(reason): the name has no address"
    }
}
