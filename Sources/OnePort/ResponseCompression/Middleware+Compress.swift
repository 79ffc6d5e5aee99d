public import HTTPKit
import HTTPTypes
import NIOCore

extension Middleware {
    /// Compresses answers with gzip for clients that take it (RFC 9110 §8.4.1.3, §12.5.3).
    ///
    /// ```swift
    /// app.use(.compress())
    /// ```
    /// Content in memory is compressed, small files of `app.files` too; files that are sent from the disk, parts of
    /// content (206), what has a Content-Encoding or a digest already and what says `Cache-Control: no-transform` goes as
    /// it is. A strong entity tag becomes a weak one, for the octets are others (§8.8.3.3): requests for a range of it
    /// get all of it, and If-Match does not match it.
    ///
    /// - Warning: Over TLS the length of a compressed answer tells what is in it: who can have an answer hold text of
    ///   their choice beside a secret, such as an anti-forgery token, and see its length many times, finds out the
    ///   secret (BREACH). Have such answers say `Cache-Control: no-transform`, or put the middleware around the others
    ///   only.
    public static func compress(
        _ options: ResponseCompressionOptions = ResponseCompressionOptions()
    ) -> Middleware {
        let compression = ResponseCompression(options)
        return Middleware { request, next in
            try await compression.apply(to: try await next(request), for: request)
        }
    }
}

/// Decides which answers are compressed, and does it.
struct ResponseCompression: Sendable {
    /// Content up to this size is compressed on the event loop, in less than a millisecond; larger content on a thread
    /// beside it.
    static let loopSize = 32 << 10

    private let options: ResponseCompressionOptions
    private let types: MediaTypeSet
    private let level: Int

    init(_ options: ResponseCompressionOptions) {
        self.options = options
        types = MediaTypeSet(options.types)
        level = min(max(options.level, 1), 9)
    }

    func apply(to response: Response, for request: Request) async throws -> Response {
        if response.status == .notModified { return notModified(response, for: request) }
        guard isCompressible(response) else { return response }
        var response = response
        response.fields.addVary("Accept-Encoding")
        guard Self.hasWholeContent(response.status),
            AcceptEncoding(request.fields[.acceptEncoding]).choose(from: ["gzip"]) == .coding(0)
        else { return response }
        switch response.body.storage {
        case .empty, .parts: return response
        case .string, .bytes: return try await compressWhole(response, for: request)
        case .stream(let length, let write):
            guard options.compressesStreams, length ?? .max >= options.minSize else { return response }
            return encoded(response, .stream(compressing(write, length: length, on: request.eventLoop)))
        }
    }

    /// Whether the answer would be compressed for some client, but for its size.
    private func isCompressible(_ response: Response) -> Bool {
        guard let contentType = response.fields[.contentType], types.contains(contentType),
            response.fields[.contentEncoding] == nil
        else { return false }
        // Digests are of the octets as they are sent (RFC 9530 §2, §3).
        for name in Self.digests where response.fields[name] != nil { return false }
        return response.fields[.cacheControl]?.lowercased().contains("no-transform") != true
    }

    private static let digests = ["Content-Digest", "Repr-Digest", "Digest", "Content-MD5"].compactMap {
        HTTPField.Name($0)
    }

    private static func hasWholeContent(_ status: HTTPResponse.Status) -> Bool {
        status.code >= 200 && ![204, 205, 206].contains(status.code)
    }

    private func compressWhole(_ response: Response, for request: Request) async throws -> Response {
        let body = response.body
        guard let size = body.length, size >= options.minSize, size <= options.maxSize else {
            return response
        }
        // The fields are those of GET; the length, which only the work would tell, may be left out (§9.3.2).
        if request.method == .head { return encoded(response, .stream { _ in }) }
        let compressed: ByteBuffer?
        if size <= Self.loopSize {
            compressed = LoopGzip.compress(body, level: level, on: request.connection.loop)
        } else {
            let level = level
            compressed = try await offload { Gzip.compress(body, level: level) }
        }
        guard let compressed, compressed.readableBytes < size else { return response }
        return encoded(response, .bytes(compressed))
    }

    /// The answer with `body` in place of its content.
    private func encoded(_ response: Response, _ body: ResponseBody) -> Response {
        var fields = response.fields
        fields[.contentEncoding] = "gzip"
        // Ranges are of the content without its coding, and no longer to be had by this answer's tag.
        fields[.acceptRanges] = nil
        fields.weakenEntityTag()
        var response = response
        response.fields = fields
        response.body = body
        return response
    }

    /// A 304 names the tag by which the client knows what it has (RFC 9110 §15.4.5).
    private func notModified(_ response: Response, for request: Request) -> Response {
        guard let tag = response.fields[.eTag], !tag.hasPrefix("W/"),
            let known = request.fields[.ifNoneMatch], case .tags(let tags) = EntityTagList(parsing: known),
            tags.contains(where: { $0.isWeak && $0.description.dropFirst(2) == tag })
        else { return response }
        var response = response
        response.fields.weakenEntityTag()
        response.fields.addVary("Accept-Encoding")
        return response
    }

    /// A writer of the same content, compressed piece by piece.
    private func compressing(
        _ write: @escaping @Sendable (ResponseWriter) async throws -> Void, length: Int?,
        on eventLoop: any EventLoop
    ) -> @Sendable (ResponseWriter) async throws -> Void {
        let level = level
        return { writer in
            let gzip = try GzipStream(level: level, length: length, on: eventLoop)
            defer { gzip.end() }
            let encoding = writer.encoding(by: gzip)
            try await write(encoding)
            try await encoding.finishEncoding()
        }
    }
}

extension HTTPFields {
    /// Content that is the same but for its coding has the same tag only as a weak one (RFC 9110 §8.8.3.3).
    fileprivate mutating func weakenEntityTag() {
        if let tag = self[.eTag], !tag.hasPrefix("W/") { self[.eTag] = "W/" + tag }
    }
}
