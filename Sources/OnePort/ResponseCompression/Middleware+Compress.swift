public import HTTPKit
import HTTPTypes
import NIOCore

extension Middleware {
    /// Compresses responses with gzip for clients that accept it (RFC 9110 §8.4.1.3, §12.5.3).
    ///
    /// ```swift
    /// app.use(.compress())
    /// ```
    /// Bodies in memory are compressed, including small files of `app.files`. These responses are not: files sent from
    /// disk, partial content (206), responses with a Content-Encoding or a digest, and responses with
    /// `Cache-Control: no-transform`. A strong entity tag becomes a weak one because the bytes differ (§8.8.3.3). So a
    /// range request gets the whole content, and If-Match does not match.
    ///
    /// - Warning: Over TLS, the length of a compressed response reveals something about its content. If an attacker can
    ///   choose text in a response that also contains a secret, such as an anti-forgery token, and can observe the length
    ///   of many such responses, the attacker can find the secret (BREACH). Set `Cache-Control: no-transform` on such
    ///   responses, or apply the middleware to other routes only.
    public static func compress(
        _ options: ResponseCompressionOptions = ResponseCompressionOptions()
    ) -> Middleware {
        let compression = ResponseCompression(options)
        return Middleware { request, next in
            try await compression.apply(to: try await next(request), for: request)
        }
    }
}

/// Decides which responses are compressed, and compresses them.
struct ResponseCompression: Sendable {
    /// Bodies of up to this many bytes are compressed on the event loop, in less than a millisecond. Larger bodies are
    /// compressed on another thread.
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

    /// Whether the response could be compressed for some client, regardless of its size.
    private func isCompressible(_ response: Response) -> Bool {
        guard let contentType = response.fields[.contentType], types.contains(contentType),
            response.fields[.contentEncoding] == nil
        else { return false }
        // Digests are of the bytes as they are sent (RFC 9530 §2, §3).
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
        // The headers are those of GET. The length, which only compressing would tell, may be left out (§9.3.2).
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

    /// The response with a compressed body.
    private func encoded(_ response: Response, _ body: ResponseBody) -> Response {
        var fields = response.fields
        fields[.contentEncoding] = "gzip"
        // Ranges refer to the content without its coding, which this response's tag does not identify.
        fields[.acceptRanges] = nil
        fields.weakenEntityTag()
        var response = response
        response.fields = fields
        response.body = body
        return response
    }

    /// A 304 has the same tag as the response that the client cached (RFC 9110 §15.4.5).
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

    /// Wraps a body's writer so that each piece is compressed.
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
    /// Turns a strong tag into a weak one, as for content that differs only in its coding (RFC 9110 §8.8.3.3).
    fileprivate mutating func weakenEntityTag() {
        if let tag = self[.eTag], !tag.hasPrefix("W/") { self[.eTag] = "W/" + tag }
    }
}
