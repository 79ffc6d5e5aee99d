import HTTPTypes
import NIOCore

/// Turns a file that was found into the answer to one request.
struct FileResponder<Fields: FieldLookup> {
    /// Where large files are opened; `nil` on an event loop, which does not wait for the disk.
    let folder: RootFolder?
    /// Makes the boundary of a multipart answer. The options as a whole are too many references to copy each time.
    let makeBoundary: @Sendable () -> String
    let isHead: Bool
    let fields: Fields
    let now: HTTPDate
    /// What was compared in this turn of the event loop.
    let checks: TurnChecks?

    /// The answer; `nil` when a file must be opened for it and there is no folder, or when the file has changed since
    /// it was found.
    func answer(_ plain: StoredFile, siblings: [StoredFile]) -> FileAnswer? {
        guard let chosen = choose(plain, siblings) else {
            return FileAnswer(.notAcceptable, fields: [.vary: "Accept-Encoding"])
        }
        if chosen !== plain, !(checks?.isCurrent(chosen) ?? chosen.isCurrent) { return nil }
        if fields.isUnconditional {
            return whole(chosen)
        }
        switch chosen.validators.evaluate(fields, isSafe: true, now: now) {
        case .proceed: break
        case .notModified:
            return FileAnswer(
                .notModified, fields: chosen.notModifiedFields,
                encodedFields: chosen.encodedNotModifiedFields,
                contentLength: nil)
        case .failed:
            return FileAnswer(
                .preconditionFailed, fields: chosen.traits.varies ? [.vary: "Accept-Encoding"] : [:])
        }
        switch range(of: chosen) {
        case .whole:
            return whole(chosen)
        case .unsatisfiable:
            return unsatisfiable(chosen)
        case .parts(let parts):
            guard parts.count == 1, let part = parts.first else { return multipart(chosen, parts) }
            var fields = chosen.fields
            fields[.contentRange] = contentRange(part, of: chosen)
            return answer(chosen, .partialContent, part, fields, encoded: nil)
        }
    }

    /// The representation by Accept-Encoding (RFC 9110 §12.5.3); `nil` when none is acceptable.
    private func choose(_ plain: StoredFile, _ siblings: [StoredFile]) -> StoredFile? {
        let field = fields.value(.acceptEncoding)
        // Without siblings only a weight matters: one of 0 may refuse identity.
        if siblings.isEmpty, field?.utf8.contains(UInt8(ascii: ";")) != true { return plain }
        let accept = AcceptEncoding(field)
        switch accept.choose(from: siblings.map { $0.traits.coding?.rawValue ?? "" }) {
        case .identity: return plain
        case .coding(let index): return siblings[index]
        case .notAcceptable: return nil
        }
    }

    /// The Range field counts with GET alone (§14.2), and only if If-Range, where there is one, matches.
    private func range(of file: StoredFile) -> ByteRange {
        guard !isHead, let field = fields.value(.range) else { return .whole }
        if let condition = fields.value(.ifRange) {
            guard file.validators.satisfiesIfRange(condition, now: now) else { return .whole }
        }
        return ByteRange(parsing: field, length: file.length)
    }

    private func whole(_ file: StoredFile) -> FileAnswer? {
        if !isHead, let ready = file.ready { return ready }
        return answer(file, .ok, 0..<file.length, file.fields, encoded: file.encodedFields)
    }

    private func answer(
        _ file: StoredFile, _ status: HTTPResponse.Status, _ range: Range<Int64>, _ fields: HTTPFields,
        encoded: ByteBuffer?
    ) -> FileAnswer? {
        let length = range.upperBound - range.lowerBound
        var answer = FileAnswer(status, fields: fields, encodedFields: encoded, contentLength: length)
        if isHead || length == 0 { return answer }
        guard let segment = segments(of: file, [range])?.first else { return nil }
        switch segment {
        case .bytes(let buffer): answer.body = .bytes(buffer)
        case .file(let file, let offset, let length):
            answer.body = .file(file, offset: offset, length: length)
        }
        return answer
    }

    /// The content of the ranges; `nil` when the file has changed since its fields were made.
    private func segments(of file: StoredFile, _ ranges: [Range<Int64>]) -> [FileAnswer.Segment]? {
        if let content = file.content {
            return ranges.compactMap { range in
                content.getSlice(
                    at: content.readerIndex + Int(range.lowerBound),
                    length: Int(range.upperBound - range.lowerBound)
                ).map(FileAnswer.Segment.bytes)
            }
        }
        guard case .file(let open)? = folder?.open(file.path), open.stamp == file.stamp else { return nil }
        return ranges.map { .file(open, offset: $0.lowerBound, length: $0.upperBound - $0.lowerBound) }
    }

    /// multipart/byteranges (RFC 9110 §14.6).
    private func multipart(_ file: StoredFile, _ ranges: [Range<Int64>]) -> FileAnswer? {
        guard let contents = segments(of: file, ranges) else { return nil }
        let boundary = makeBoundary()
        let contentType = file.fields[.contentType] ?? MediaTypeTable.unknown
        var segments: [FileAnswer.Segment] = []
        var length: Int64 = 0
        func add(_ text: String) {
            segments.append(.bytes(ByteBuffer(string: text)))
            length += Int64(text.utf8.count)
        }
        for (index, range) in ranges.enumerated() {
            let lineEnd = index == 0 ? "" : "\r\n"
            let range = (range, contentRange(range, of: file))
            add(
                "\(lineEnd)--\(boundary)\r\nContent-Type: \(contentType)\r\nContent-Range: \(range.1)\r\n\r\n"
            )
            segments.append(contents[index])
            length += range.0.upperBound - range.0.lowerBound
        }
        add("\r\n--\(boundary)--\r\n")
        var fields = file.fields
        fields[.contentType] = "multipart/byteranges; boundary=\(boundary)"
        return FileAnswer(.partialContent, fields: fields, body: .multipart(segments), contentLength: length)
    }

    /// 416 says how long the representation is (§15.5.17).
    private func unsatisfiable(_ file: StoredFile) -> FileAnswer {
        var fields: HTTPFields = [
            .contentRange: "bytes */\(file.length)", .acceptRanges: "bytes", .xContentTypeOptions: "nosniff",
        ]
        if file.traits.varies { fields[.vary] = "Accept-Encoding" }
        return FileAnswer(.rangeNotSatisfiable, fields: fields)
    }

    private func contentRange(_ range: Range<Int64>, of file: StoredFile) -> String {
        "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.length)"
    }

    /// The file as the page of a 404: without validators, and whatever the request's conditions are (§13.2.1).
    func notFoundPage(_ file: StoredFile) -> FileAnswer? {
        var fields: HTTPFields = [.xContentTypeOptions: "nosniff"]
        fields[.contentType] = file.fields[.contentType]
        return answer(file, .notFound, 0..<file.length, fields, encoded: nil)
    }
}
