import HTTPTypes
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The fields of a request for the cores of this folder, with one pass beforehand that mostly saves the others.
struct RequestFieldLookup: FieldLookup {
    let fields: RequestFields
    let isUnconditional: Bool

    init(_ fields: RequestFields) {
        self.fields = fields
        let head = fields.head
        let span = head.buffer.readableBytesUInt8Span
        var isUnconditional = true
        for slot in head.slots {
            // "if-…" and "range": no other common field is mistaken for one, and a mistake costs only time.
            let name = slot.name(from: head.fieldsStart)
            let first = span[name.lowerBound].asciiLowercased
            if first == UInt8(ascii: "i") || (first == UInt8(ascii: "r") && name.count == 5) {
                isUnconditional = false
                break
            }
        }
        self.isUnconditional = isUnconditional
    }

    func value(_ name: HTTPField.Name) -> String? { fields[name] }
}

extension StaticFiles {
    /// How often an answer is looked for again after a digest was computed: once for a file and once for each coding.
    private static let maxDigestsPerRequest = 4

    /// The answer to a request for a path below `options.mountPath`, which is what a route or a fallback hands on.
    ///
    /// A small file that is in memory is answered at once. Everything else is looked up by a thread of `offload`; a large
    /// file is sent from the disk by the server. An answer with an error and no page of its own says its status as text.
    ///
    /// - Throws: `CancellationError` when the task is cancelled while it waits.
    public func respond(to request: Request) async throws -> Response {
        if let response = try await response(to: request) { return response }
        return try await response(to: request, pages: true) ?? Response(FileAnswer(.notFound))
    }

    /// The answer of a file, or with `pages` that of a page for paths where nothing is; `nil` when there is none.
    func response(to request: Request, pages: Bool = false) async throws -> Response? {
        var time = timespec()
        #if os(Linux)
            // The clock that file systems take their times from.
            clock_gettime(CLOCK_REALTIME_COARSE, &time)
        #else
            clock_gettime(CLOCK_REALTIME, &time)
        #endif
        let head = request.head
        let start = mountEnd(head.buffer, head.path)
        var query = FileQuery(
            method: head.method, rawPath: slice(of: head.buffer, start..<head.path.upperBound),
            query: head.query.map { slice(of: head.buffer, $0) },
            mount: mount(head.buffer, head.path.lowerBound..<start),
            fields: RequestFieldLookup(request.fields),
            now: HTTPDate(secondsSinceEpoch: Int64(time.tv_sec)), wantsPages: pages,
            checks: TurnChecks.of(request.connection.loop))
        switch outcome(query, .memory) {
        case .answer(let answer): return Response(answer).below(request)
        case .nothing: return nil
        case .wait, .digest:
            query.checks = nil
            return try await response(from: query)?.below(request)
        }
    }

    /// The answer as a thread that may block finds it, behind the digests that it takes.
    private func response(from query: FileQuery<RequestFieldLookup>) async throws -> Response? {
        for round in 0...StaticFiles.maxDigestsPerRequest {
            let use: FileLoader.Digests = round < StaticFiles.maxDigestsPerRequest ? .asked : .known
            let outcome = try await offload {
                let outcome = self.outcome(query, .disk(use))
                if case .answer(let answer) = outcome { answer.prepare() }
                return outcome
            }
            switch outcome {
            case .answer(let answer): return Response(answer)
            case .nothing: return nil
            case .digest(let pending): await digests.compute(pending)
            case .wait: break
            }
        }
        return Response(FileAnswer(.serviceUnavailable))
    }

    /// The mount as the request writes it, where its path has parameters.
    private func mount(_ buffer: ByteBuffer, _ range: Range<Int>) -> String? {
        guard options.mountPath.utf8.contains(UInt8(ascii: "{")) else { return nil }
        return PercentCoding.encode(buffer.readableBytesUInt8Span.extracting(range), allowed: .rawQuery)
    }

    private func slice(of buffer: ByteBuffer, _ range: Range<Int>) -> ByteBuffer {
        buffer.getSlice(at: buffer.readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
    }

    /// Where the path below the mount begins: behind as many segments as the mount has. The router has matched them
    /// decoded, so they may be written otherwise than in the mount's path.
    private func mountEnd(_ buffer: ByteBuffer, _ path: Range<Int>) -> Int {
        let span = buffer.readableBytesUInt8Span
        var start = path.lowerBound
        for _ in 0..<mountDepth {
            guard start < path.upperBound else { break }
            start += 1
            while start < path.upperBound, span[start] != UInt8(ascii: "/") { start += 1 }
        }
        return start
    }
}

extension Response {
    init(_ answer: FileAnswer) {
        let isBareError = answer.status.code >= 400 && answer.contentLength == 0
        if isBareError {
            self = .text(answer.status.reasonPhrase + "\n", status: answer.status)
            for field in answer.fields { fields.append(field) }
            return
        }
        self.init(status: answer.status, fields: answer.fields, body: ResponseBody(answer.body))
        preparedFields = answer.encodedFields.map(PreparedFields.init(lines:))
        declaredLength = answer.contentLength.map { Int($0) }
    }
}

extension ResponseBody {
    fileprivate init(_ body: FileAnswer.Body) {
        self =
            switch body {
            case .none: .empty
            case .bytes(let buffer): .bytes(buffer)
            case .file(let file, let offset, let length): .parts([.file(FileSlice(file, offset, length))])
            case .multipart(let segments): .parts(segments.map(Part.init))
            }
    }
}

extension ResponseBody.Part {
    fileprivate init(_ segment: FileAnswer.Segment) {
        self =
            switch segment {
            case .bytes(let buffer): .bytes(buffer)
            case .file(let file, let offset, let length): .file(FileSlice(file, offset, length))
            }
    }
}

extension FileSlice {
    fileprivate init(_ file: OpenFile, _ offset: Int64, _ length: Int64) {
        self.init(owner: file, descriptor: file.descriptor, offset: Int(offset), length: Int(length))
    }
}

extension Response {
    /// A redirect begins with the prefix under which a trusted proxy publishes the application.
    fileprivate func below(_ request: Request) -> Response {
        guard status == .movedPermanently, let location = fields[.location] else { return self }
        var response = self
        response.fields[.location] = request.pathPrefix + location
        return response
    }
}
