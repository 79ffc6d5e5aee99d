/// How a folder is served.
public struct StaticFileOptions: Sendable {
    /// What entity tags are made of (RFC 9110 §8.8.3).
    public enum EntityTags: Sendable {
        /// From size and modification time in nanoseconds: costs nothing. Weak within two seconds of a change, when the
        /// file could change again and keep its time; strong afterwards, so that ranges are resumed by it.
        ///
        /// A time before 1990, as reproducible images and packages have it (0, 1), tells nothing: such a file has no
        /// Last-Modified, and its tag is a digest when the file is kept in memory, otherwise weak.
        case metadata
        /// Strong, from a digest of the content, read when a file is first served and when it has changed. Larger files
        /// than `maxDigestedSize`, and large files within two seconds of a change, get tags of `metadata`.
        case content
    }

    /// A Cache-Control value for paths that match a pattern.
    public struct CacheRule: Sendable {
        /// `*` stands for any characters of one segment and `**` for any characters at all. A pattern without a
        /// slash is matched against the file's name, any other against the path below the folder.
        public var pattern: String
        /// The field's value.
        public var value: String

        /// A rule.
        public init(_ pattern: String, _ value: String) {
            self.pattern = pattern
            self.value = value
        }
    }

    /// The path under which the folder is mounted, encoded, without a slash at its end; redirects begin with it.
    public var mountPath = ""
    /// The files that answer for their folder, the first that exists.
    public var indexFiles = ["index.html"]
    /// Whether a folder without an index is listed.
    public var listsFolders = false
    /// The file, relative to the folder, that answers 200 for pages that a single-page application makes itself:
    /// for paths whose last segment has no extension, and for any path when the client asks for text/html by name.
    public var fallback: String?
    /// The file, relative to the folder, that is sent with 404.
    public var notFoundPage: String?
    /// Whether `.well-known` (RFC 8615) is served though it begins with a dot.
    public var allowsWellKnown = false
    /// What entity tags are made of.
    public var entityTags = EntityTags.metadata
    /// The largest file that is digested for a strong entity tag, in octets.
    public var maxDigestedSize: Int64 = 64 << 20
    /// How many files are digested at once, each by one thread; other requests that need a digest wait for their turn.
    public var maxConcurrentDigests = 2
    /// Media types by extension, which go before the built-in table: `["gmi": "text/gemini; charset=utf-8"]`. Case does
    /// not matter, and a dot in front may be written.
    public var mediaTypes: [String: String] = [:]
    /// Cache-Control by pattern; the first that matches counts, before fingerprints do.
    public var cacheRules: [CacheRule] = []
    /// Cache-Control where no rule matches: asked for again each time, and answered 304 as long as it is the same.
    public var defaultCacheControl: String? = "no-cache"
    /// Whether names of the form `name.<8 or more hexadecimal digits>.ext` are immutable for a year (RFC 8246).
    public var immutableFingerprints = true
    /// The precompressed siblings that are looked for, best first.
    public var codings: [Coding] = [.brotli, .zstandard, .gzip]
    /// The largest file kept in memory, in octets; larger ones are sent from the disk.
    public var maxCachedFileSize: Int64 = 64 << 10
    /// The memory for kept files, in octets.
    public var maxCacheSize = 32 << 20
    /// How many files are kept.
    public var maxCachedFiles = 4096

    /// A content coding that a file may have beside it.
    public enum Coding: String, Sendable, CaseIterable {
        /// Brotli, `.br` (RFC 7932).
        case brotli = "br"
        /// Zstandard, `.zst` (RFC 8878).
        case zstandard = "zstd"
        /// gzip, `.gz` (RFC 1952).
        case gzip

        /// What is appended to the file's name, with its dot.
        var suffix: String {
            switch self {
            case .brotli: ".br"
            case .zstandard: ".zst"
            case .gzip: ".gz"
            }
        }
    }

    /// Makes the boundary of a multipart/byteranges answer; 1 to 70 characters of a token.
    package var makeBoundary: @Sendable () -> String = {
        "\(String(UInt64.random(in: .min ... .max), radix: 36))\(String(UInt64.random(in: .min ... .max), radix: 36))"
    }

    /// The defaults.
    public init() {}

    /// The Content-Type of a file by its name.
    func contentType(ofFileNamed name: some StringProtocol) -> String {
        guard !mediaTypes.isEmpty, let dot = name.lastIndex(of: "."), dot != name.startIndex else {
            return MediaTypeTable.contentType(ofFileNamed: name)
        }
        let wanted = name[name.index(after: dot)...].lowercased()
        let own = mediaTypes.first {
            ($0.key.hasPrefix(".") ? $0.key.dropFirst() : $0.key[...]).lowercased() == wanted
        }
        return own?.value ?? MediaTypeTable.contentType(ofFileNamed: name)
    }

    /// The Cache-Control value of the file at a path below the folder.
    func cacheControl(for path: String) -> String? {
        if let rule = cacheRules.first(where: { PathGlob.matches($0.pattern, path) }) { return rule.value }
        if immutableFingerprints, Fingerprint.isPresent(in: path) {
            return "public, max-age=31536000, immutable"
        }
        return defaultCacheControl
    }
}

/// Recognises names that change with their content.
enum Fingerprint {
    /// Whether the file's name is `name.<8 or more hexadecimal digits>.ext`. Eight digits that read as a date of
    /// these centuries are one, and no fingerprint.
    static func isPresent(in path: String) -> Bool {
        let name = path.utf8.split(separator: UInt8(ascii: "/")).last ?? path.utf8[...]
        let pieces = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard pieces.count >= 3 else { return false }
        return pieces[1..<(pieces.count - 1)].contains { piece in
            guard piece.count >= 8, piece.allSatisfy({ $0.hexDigitValue != nil }) else { return false }
            let isDate =
                piece.count == 8 && piece.allSatisfy(\.isDigit)
                && (piece.starts(with: "19".utf8) || piece.starts(with: "20".utf8))
            return !isDate
        }
    }
}

/// Patterns with `*` and `**`.
enum PathGlob {
    /// Whether the pattern matches the whole path, or its last segment when the pattern has no slash.
    static func matches(_ pattern: String, _ path: String) -> Bool {
        var wanted = Array(pattern.utf8)[...]
        var text = Array(path.utf8)[...]
        if wanted.contains(UInt8(ascii: "/")) {
            if wanted.first == UInt8(ascii: "/") { wanted.removeFirst() }
        } else if let slash = text.lastIndex(of: UInt8(ascii: "/")) {
            text = text[(slash + 1)...]
        }
        return matches(wanted, text)
    }

    private static func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        guard first == UInt8(ascii: "*") else {
            return text.first == first && matches(pattern.dropFirst(), text.dropFirst())
        }
        var rest = pattern.dropFirst()
        let crosses = rest.first == UInt8(ascii: "*")
        if crosses { rest = rest.dropFirst() }
        var tail = text
        while true {
            if matches(rest, tail) { return true }
            guard let byte = tail.first, crosses || byte != UInt8(ascii: "/") else { return false }
            tail = tail.dropFirst()
        }
    }
}
