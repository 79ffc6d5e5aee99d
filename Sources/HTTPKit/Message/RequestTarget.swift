/// The four forms of a request target (RFC 9112 §3.2) as offsets into the head.
package enum RequestTarget: Equatable, Sendable {
    /// `/path?query`, the usual form (§3.2.1).
    case origin(path: Range<Int>, query: Range<Int>?)
    /// `http://authority/path?query`, sent to proxies and to be accepted by every server (§3.2.2).
    case absolute(authority: Range<Int>, path: Range<Int>, query: Range<Int>?)
    /// `host:port`, only with CONNECT (§3.2.3).
    case authority(Range<Int>)
    /// `*`, only with OPTIONS (§3.2.4).
    case asterisk

    /// Reads the target at `range` of `head`; its octets have been found to be visible US-ASCII.
    package init(_ head: borrowing Span<UInt8>, _ range: Range<Int>, isConnect: Bool, isOptions: Bool)
        throws(HTTPError)
    {
        guard let first = range.first else { throw .requestTarget }
        if isConnect {
            guard let colon = range.last(where: { head[$0] == 0x3A }),
                Authority.isValid(head, range), colon + 1 < range.upperBound
            else { throw .requestTarget }
            self = .authority(range)
        } else if head[first] == 0x2F {
            let (path, query) = Self.splitQuery(head, range)
            self = .origin(path: path, query: query)
        } else if range.count == 1, head[first] == 0x2A {
            guard isOptions else { throw .requestTarget }
            self = .asterisk
        } else {
            self = try Self.absoluteForm(head, range)
        }
    }

    /// Host says what an absolute target says (RFC 9112 §3.2.2).
    func check(host: Range<Int>?, _ head: borrowing Span<UInt8>) throws(HTTPError) {
        guard case .absolute(let authority, _, _) = self, let host else { return }
        guard host.count == authority.count else { throw .host }
        for offset in 0..<host.count
        where head[host.lowerBound + offset].asciiLowercased
            != head[authority.lowerBound + offset].asciiLowercased
        {
            throw .host
        }
    }

    private static func splitQuery(_ head: borrowing Span<UInt8>, _ range: Range<Int>) -> (
        Range<Int>, Range<Int>?
    ) {
        let mark = head.firstIndex(of: 0x3F, in: range)
        guard mark < range.upperBound else { return (range, nil) }
        return (range.lowerBound..<mark, mark &+ 1..<range.upperBound)
    }

    /// absolute-form: only the schemes that this server can be the origin of (RFC 9110 §4.2), no userinfo (§4.2.4).
    private static func absoluteForm(
        _ head: borrowing Span<UInt8>, _ range: Range<Int>
    ) throws(HTTPError) -> RequestTarget {
        let start: Int
        if range.count > 7, head.equalsIgnoringCase(range.lowerBound..<range.lowerBound + 7, "http://") {
            start = range.lowerBound + 7
        } else if range.count > 8,
            head.equalsIgnoringCase(range.lowerBound..<range.lowerBound + 8, "https://")
        {
            start = range.lowerBound + 8
        } else {
            throw .requestTarget
        }
        var end = start
        while end < range.upperBound, head[end] != 0x2F, head[end] != 0x3F { end += 1 }
        guard Authority.isValid(head, start..<end) else { throw .requestTarget }
        let (path, query) = splitQuery(head, end..<range.upperBound)
        return .absolute(authority: start..<end, path: path, query: query)
    }
}
