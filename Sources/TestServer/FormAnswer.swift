import NIOCore
import OnePort

/// What `/form` answers: the fields in order, and of each file what it is and its digest.
struct FormAnswer: Encodable {
    struct File: Encodable {
        let name: String
        let filename: String
        let contentType: String?
        let size: Int
        let sha256: String
    }

    var fields: [[String]] = []
    var files: [File] = []

    /// The most that the value of one field may have, in octets.
    private static let maxFieldSize = 1 << 20

    static func read(_ request: Request) async throws -> Response {
        let type = request.fields[.contentType] ?? ""
        guard MediaType(parsing: type)?.essence == "multipart/form-data" else {
            return try .json(FormAnswer(fields: try await request.form().map { [$0.name, $0.value] }))
        }
        var answer = FormAnswer()
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
                if let ended = part { answer.add(ended.head, ended.size, ended.digest, ended.text) }
                part = nil
            case .end: break
            }
        }
        return try .json(answer)
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
