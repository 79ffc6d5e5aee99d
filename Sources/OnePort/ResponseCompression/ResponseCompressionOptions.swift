/// The options of `Middleware.compress`.
public struct ResponseCompressionOptions: Sendable {
    /// Bodies with fewer bytes are not compressed. They would need as many packets, and compressing them costs time.
    public var minSize = 1 << 10
    /// Bodies with more bytes are not compressed. Serve such content as a stream, or from files with precompressed siblings
    /// (`StaticFileOptions.codings`).
    public var maxSize = 8 << 20
    /// The compression level, from 1 (fastest) to 9 (smallest).
    public var level = 4
    /// The media types that are compressed: `application/json`, all of a type (`text/*`), or all with a suffix (`*+json`,
    /// RFC 6838 §4.2.8).
    public var types = defaultTypes
    /// Whether streamed responses, such as server-sent events, are compressed too. Off by default.
    ///
    /// Each piece is sent at once, as without compression, so small pieces gain little. Each stream uses about 70 KiB of
    /// memory until it ends, which is a lot for many long streams. Pieces of more than 32 KiB are written in several
    /// steps, so do not write to one stream from several tasks at the same time.
    public var compressesStreams = false

    /// Media types that are not already compressed.
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

    /// The default options with the changes of `configure`.
    public init(_ configure: (inout ResponseCompressionOptions) -> Void) {
        self.init()
        configure(&self)
    }
}

/// A set of media types, given by the patterns of `ResponseCompressionOptions.types`.
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

    /// Whether the set contains the media type of a Content-Type. Parameters are ignored.
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
