/// What `Middleware.compress` does.
public struct ResponseCompressionOptions: Sendable {
    /// Content of fewer octets goes as it is: it would fit into the same packets, and costs the same work.
    public var minSize = 1 << 10
    /// Content of more octets goes as it is. What is that large is served better from files beside which compressed
    /// ones lie (`StaticFileOptions.codings`), or as a stream.
    public var maxSize = 8 << 20
    /// 1 (fastest) to 9 (smallest).
    public var level = 4
    /// The media types that are compressed: `application/json`; `text/*`, all of a type; `*+json`, all with a suffix
    /// (RFC 6838 §4.2.8).
    public var types = defaultTypes
    /// Whether streamed answers are compressed too, such as server-sent events.
    ///
    /// Each piece that is written is sent at once, as without compression, so small pieces gain little; and each stream
    /// holds about 70 KiB for its history until it ends, which for streams that last is much where there are many.
    /// Hence it is off unless asked for. Pieces of more than 32 KiB go in several steps: do not write to one stream
    /// from several tasks at a time.
    public var compressesStreams = false

    /// The media types that gain by compression and are not compressed in themselves.
    public static let defaultTypes = [
        "text/*", "*+json", "*+xml", "*+text", "application/json", "application/xml",
        "application/javascript",
        "application/jsonl", "application/x-ndjson", "application/yaml", "application/toml",
        "application/graphql", "application/sql", "application/rtf", "application/wasm",
        "application/vnd.apple.mpegurl", "application/vnd.ms-fontobject", "font/otf", "font/ttf", "image/bmp",
        "image/vnd.microsoft.icon",
    ]

    /// The default options.
    public init() {}

    /// The default options, changed by `configure`.
    public init(_ configure: (inout ResponseCompressionOptions) -> Void) {
        self.init()
        configure(&self)
    }
}

/// Media types by the patterns of `ResponseCompressionOptions.types`.
struct MediaTypeSet: Sendable {
    private var essences: Set<String> = []
    private var types: Set<Substring> = []
    private var suffixes: Set<Substring> = []

    init(_ patterns: [String]) {
        for pattern in patterns.map({ $0.lowercased() }) {
            if pattern.hasSuffix("/*") {
                types.insert(pattern.dropLast(2))
            } else if pattern.hasPrefix("*+") {
                suffixes.insert(pattern.dropFirst(2))
            } else {
                essences.insert(pattern)
            }
        }
    }

    /// Whether the value of a Content-Type is in it; its parameters do not matter.
    func contains(_ contentType: String) -> Bool {
        let end = contentType.utf8.firstIndex { $0 == UInt8(ascii: ";") || $0 == 0x20 || $0 == 0x09 }
        let essence = contentType[..<(end ?? contentType.endIndex)].lowercased()
        if essences.contains(essence) { return true }
        guard let slash = essence.utf8.firstIndex(of: UInt8(ascii: "/")) else { return false }
        if types.contains(essence[..<slash]) { return true }
        guard let plus = essence.utf8.lastIndex(of: UInt8(ascii: "+")) else { return false }
        return suffixes.contains(essence[essence.utf8.index(after: plus)...])
    }
}
