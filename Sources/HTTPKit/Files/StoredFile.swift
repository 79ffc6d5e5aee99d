import HTTPTypes
import NIOCore

/// One representation of a file, with everything about its answer made beforehand.
final class StoredFile: Sendable {
    /// The path below the folder.
    let path: String
    private let location: FileLocation
    let stamp: FileStamp
    /// The content of a small file; a large one is opened for each answer.
    let content: ByteBuffer?
    /// Whether an equal stamp means equal content.
    let isSettled: Bool
    let validators: Validators
    /// The fields of 200.
    let fields: HTTPFields
    let encodedFields: ByteBuffer
    /// The fields of 304 (RFC 9110 §15.4.5).
    let notModifiedFields: HTTPFields
    let encodedNotModifiedFields: ByteBuffer

    /// The whole answer to a GET for a file that is in memory.
    let ready: FileAnswer?

    var length: Int64 { stamp.size }

    /// What the answer's fields depend on besides the file itself.
    struct Traits: Equatable {
        /// The path of the uncompressed file, which gives the media type and Cache-Control.
        var plainPath: String
        var coding: StaticFileOptions.Coding?
        /// Whether there are siblings to choose from.
        var varies: Bool
    }

    let traits: Traits

    init(
        root: String, path: String, traits: Traits, stamp: FileStamp, content: ByteBuffer?, digest: String?,
        isSettled: Bool, options: StaticFileOptions, now: HTTPDate
    ) {
        self.path = path
        location = FileLocation(root + "/" + path)
        self.traits = traits
        self.stamp = stamp
        self.content = content
        self.isSettled = isSettled
        let suffix = traits.coding.map { "-\($0.rawValue)" } ?? ""
        let entityTag =
            digest.map { EntityTag(opaque: $0 + suffix, isWeak: false) }
            ?? EntityTag(
                opaque: StoredFile.metadataTag(stamp) + suffix, isWeak: !isSettled || !stamp.hasMeaningfulTime
            )
        // §8.8.2.1: a time in the future is replaced by the present.
        let lastModified =
            stamp.hasMeaningfulTime ? min(HTTPDate(secondsSinceEpoch: stamp.modified.seconds), now) : nil
        validators = Validators(entityTag: entityTag, lastModified: lastModified)
        var shared: HTTPFields = [:]
        shared[.eTag] = entityTag.description
        shared[.lastModified] = lastModified?.description
        shared[.cacheControl] = options.cacheControl(for: traits.plainPath)
        if traits.varies { shared[.vary] = "Accept-Encoding" }
        var fields: HTTPFields = [
            .contentType: options.contentType(ofFileNamed: traits.plainPath.fileName)
        ]
        if let coding = traits.coding { fields[.contentEncoding] = coding.rawValue }
        for field in shared { fields.append(field) }
        fields[.acceptRanges] = "bytes"
        fields[.xContentTypeOptions] = "nosniff"
        self.fields = fields
        encodedFields = fields.encodedLines()
        notModifiedFields = shared
        encodedNotModifiedFields = shared.encodedLines()
        let encoded = encodedFields
        ready = content.map { content in
            FileAnswer(
                .ok, fields: fields, encodedFields: encoded,
                body: content.readableBytes > 0 ? .bytes(content) : .none,
                contentLength: stamp.size)
        }
    }

    /// Whether the file at this place is still the one that was read.
    var isCurrent: Bool { location.stamp == stamp }

    /// Size and modification time; where that time tells nothing, inode and the time of the last change, which differ
    /// from one server to the next.
    private static func metadataTag(_ stamp: FileStamp) -> String {
        func hex(_ number: some BinaryInteger) -> String { String(number, radix: 16) }
        let time = stamp.hasMeaningfulTime ? stamp.modified : stamp.changed
        let tag = "\(hex(stamp.size))-\(hex(time.seconds)).\(hex(time.nanoseconds))"
        return stamp.hasMeaningfulTime ? tag : tag + "-" + hex(stamp.inode)
    }
}

extension String {
    /// What follows the last slash.
    var fileName: Substring {
        lastIndex(of: "/").map { self[index(after: $0)...] } ?? self[...]
    }
}

/// What a path leads to.
enum FileResource: Sendable {
    /// A file, and its siblings in the server's order of preference.
    case file(StoredFile, siblings: [StoredFile])
    /// A folder asked for without its slash; the encoded path below the mount to redirect to.
    case redirect(to: String)
    /// A page with the entries of a folder.
    case listing(ByteBuffer)

    /// Whether it may be kept: a file may, when a change of it would show. Redirects and listings are made anew each
    /// time, since nothing tells cheaply that they are still right.
    var isKeepable: Bool {
        guard case .file(let plain, let siblings) = self else { return false }
        return plain.isSettled && siblings.allSatisfy(\.isSettled)
    }

    /// The memory that it keeps, roughly, in octets.
    var cost: Int {
        switch self {
        case .file(let plain, let siblings):
            ([plain] + siblings).reduce(0) { $0 + 2048 + ($1.content?.readableBytes ?? 0) }
        case .redirect: 512
        case .listing(let page): 512 + page.readableBytes
        }
    }
}
