/// The static table (RFC 7541 Appendix A).
enum StaticTable {
    /// How many entries there are; the dynamic table begins behind them.
    static let count = 61

    /// An entry: where its name and its value stand in `bytes`.
    struct Entry: Sendable {
        let nameStart: Int
        let nameLength: Int
        let valueLength: Int
    }

    /// All names and values, one behind the other.
    static let bytes: [UInt8] = fields.flatMap { Array($0.0.utf8) + Array($0.1.utf8) }

    /// The entries, from index 1 on.
    static let entries: [Entry] = {
        var start = 0
        return fields.map { name, value in
            defer { start += name.utf8.count + value.utf8.count }
            return Entry(nameStart: start, nameLength: name.utf8.count, valueLength: value.utf8.count)
        }
    }()

    private static let fields: [(String, String)] = [
        (":authority", ""),
        (":method", "GET"),
        (":method", "POST"),
        (":path", "/"),
        (":path", "/index.html"),
        (":scheme", "http"),
        (":scheme", "https"),
        (":status", "200"),
        (":status", "204"),
        (":status", "206"),
        (":status", "304"),
        (":status", "400"),
        (":status", "404"),
        (":status", "500"),
        ("accept-charset", ""),
        ("accept-encoding", "gzip, deflate"),
        ("accept-language", ""),
        ("accept-ranges", ""),
        ("accept", ""),
        ("access-control-allow-origin", ""),
        ("age", ""),
        ("allow", ""),
        ("authorization", ""),
        ("cache-control", ""),
        ("content-disposition", ""),
        ("content-encoding", ""),
        ("content-language", ""),
        ("content-length", ""),
        ("content-location", ""),
        ("content-range", ""),
        ("content-type", ""),
        ("cookie", ""),
        ("date", ""),
        ("etag", ""),
        ("expect", ""),
        ("expires", ""),
        ("from", ""),
        ("host", ""),
        ("if-match", ""),
        ("if-modified-since", ""),
        ("if-none-match", ""),
        ("if-range", ""),
        ("if-unmodified-since", ""),
        ("last-modified", ""),
        ("link", ""),
        ("location", ""),
        ("max-forwards", ""),
        ("proxy-authenticate", ""),
        ("proxy-authorization", ""),
        ("range", ""),
        ("referer", ""),
        ("refresh", ""),
        ("retry-after", ""),
        ("server", ""),
        ("set-cookie", ""),
        ("strict-transport-security", ""),
        ("transfer-encoding", ""),
        ("user-agent", ""),
        ("vary", ""),
        ("via", ""),
        ("www-authenticate", ""),
    ]
}
