import Glibc
import HTTPTypes
import NIOCore

/// The fields of a request for the cores of this folder, with one pass beforehand that mostly saves the others.
private struct RequestFieldLookup: FieldLookup {
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
    /// The answer to a request for a path below `options.mountPath`, which is what a route or a fallback hands on.
    ///
    /// It does not wait: a small file is read where it is not in memory, a large one is sent from the disk by the
    /// server. An answer with an error and no page of its own says its status as text.
    public func respond(to request: Request) -> Response {
        var time = timespec()
        // The clock that file systems take their times from.
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        let head = request.head
        let path = pathBelowMount(head.buffer, head.path)
        let query = head.query.flatMap { range in
            head.buffer.getSlice(at: head.buffer.readerIndex + range.lowerBound, length: range.count)
        }
        return Response(
            answer(
                method: head.method, rawPath: path, query: query, fields: RequestFieldLookup(request.fields),
                now: HTTPDate(secondsSinceEpoch: Int64(time.tv_sec))))
    }

    /// The path without as many segments as the mount has. The router has matched them decoded, so they may be
    /// written otherwise than in the mount's path.
    private func pathBelowMount(_ buffer: ByteBuffer, _ path: Range<Int>) -> ByteBuffer {
        let span = buffer.readableBytesUInt8Span
        var start = path.lowerBound
        for _ in 0..<mountDepth {
            guard start < path.upperBound else { break }
            start += 1
            while start < path.upperBound, span[start] != UInt8(ascii: "/") { start += 1 }
        }
        return buffer.getSlice(at: buffer.readerIndex + start, length: path.upperBound - start)
            ?? ByteBuffer()
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
        preparedFields = answer.encodedFields
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
