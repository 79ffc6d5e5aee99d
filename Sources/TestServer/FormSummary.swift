import NIOCore
import OnePort

/// The response of `/form`: the fields in order, and for each file its headers, size and digest.
struct FormSummary: Encodable {
    struct File: Encodable {
        let name: String
        let filename: String
        let contentType: String?
        let size: Int
        let sha256: String
    }

    var fields: [[String]] = []
    var files: [File] = []

    /// The largest value of a field, in bytes.
    private static let maxFieldSize = 1 << 20

    static func read(_ request: Request) async throws -> Response {
        let type = request.fields[.contentType] ?? ""
        guard MediaType(parsing: type)?.essence == "multipart/form-data" else {
            return try .json(FormSummary(fields: try await request.form().map { [$0.name, $0.value] }))
        }
        var summary = FormSummary()
        var part: (head: MultipartPartHead, size: Int, digest: SHA256, text: ByteBuffer)?
        try await request.multipart { event in
            switch event {
            case .partBegin(let head):
                part = (head, 0, SHA256(), ByteBuffer())
            case .data(let data):
                part?.size += data.readableBytes
                if part?.head.filename != nil {
                    part?.digest.update(data)
                } else {
                    part?.text.writeImmutableBuffer(data)
                    if part?.size ?? 0 > maxFieldSize { throw HTTPError.contentTooLarge(limit: maxFieldSize) }
                }
            case .partEnd:
                if let ended = part { summary.add(ended.head, ended.size, ended.digest, ended.text) }
                part = nil
            case .end: break
            }
        }
        return try .json(summary)
    }

    private mutating func add(_ head: MultipartPartHead, _ size: Int, _ digest: SHA256, _ text: ByteBuffer) {
        guard let filename = head.filename else {
            fields.append([head.name, String(buffer: text)])
            return
        }
        files.append(
            File(
                name: head.name, filename: filename, contentType: head.contentType, size: size,
                sha256: digest.finishHex()))
    }
}
