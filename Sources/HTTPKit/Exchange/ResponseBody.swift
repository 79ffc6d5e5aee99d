public import NIOCore

/// The content of a response.
public struct ResponseBody: Sendable {
    package enum Storage: Sendable {
        case empty
        case string(String)
        case bytes(ByteBuffer)
        case stream(length: Int?, @Sendable (ResponseWriter) async throws -> Void)
        case parts([Part])
    }

    /// A piece of content of known length.
    package enum Part: Sendable {
        case bytes(ByteBuffer)
        case file(FileSlice)

        var length: Int {
            switch self {
            case .bytes(let buffer): buffer.readableBytes
            case .file(let slice): slice.length
            }
        }
    }

    package var storage: Storage

    package init(storage: Storage) { self.storage = storage }

    /// No content.
    public static let empty = ResponseBody(storage: .empty)

    /// Bytes that are there.
    public static func bytes(_ buffer: ByteBuffer) -> ResponseBody { .init(storage: .bytes(buffer)) }

    /// Text, as UTF-8.
    public static func string(_ text: String) -> ResponseBody { .init(storage: .string(text)) }

    /// Content that is written piece by piece.
    public static func stream(
        length: Int? = nil, _ write: @escaping @Sendable (ResponseWriter) async throws -> Void
    ) -> ResponseBody {
        .init(storage: .stream(length: length, write))
    }

    /// Bytes and stretches of files, one behind the other, whose length is known.
    package static func parts(_ parts: [Part]) -> ResponseBody { .init(storage: .parts(parts)) }

    /// Whether it is sent in several steps.
    var isStreamed: Bool {
        switch storage {
        case .empty, .string, .bytes: false
        case .stream, .parts: true
        }
    }

    /// The length, where it is known before it is written.
    package var length: Int? {
        switch storage {
        case .empty: 0
        case .string(let text): text.utf8.count
        case .bytes(let buffer): buffer.readableBytes
        case .stream(let length, _): length
        case .parts(let parts): parts.reduce(0) { $0 + $1.length }
        }
    }
}
