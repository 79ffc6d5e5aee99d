public import HTTPKit

extension Middleware {
    /// Decodes request bodies that clients have compressed with gzip or deflate (RFC 9110 §8.4).
    ///
    /// ```swift
    /// app.use(.decompress())
    /// ```
    /// The body is decoded as the handler reads it. Its limit (`Request.bodyLimit`, `collect(upTo:)`) counts decoded bytes,
    /// so a small request cannot become a large body. A larger body is rejected with 413, and a body that is malformed or
    /// ends early with 400. The handler sees neither Content-Encoding nor Content-Length.
    ///
    /// A body with another coding, or with more than one, is not decoded. Reading it as JSON or as a form fails with 415
    /// and `Accept-Encoding: gzip, deflate`. Without this middleware, this happens for every coding.
    public static func decompress() -> Middleware {
        Middleware { request, next in try await next(RequestDecompression.decoding(request)) }
    }
}

/// Decides which request bodies are decoded.
enum RequestDecompression {
    static let accepted = "gzip, deflate"

    static func decoding(_ request: Request) throws -> Request {
        let codings = request.contentCodings
        guard let coding = codings.first else { return request }
        var request = request
        request.acceptedCodings = accepted
        guard codings.count == 1 else { return request }
        switch coding {
        // RFC 9110 §8.4.1.3.
        case "gzip", "x-gzip": return request.decodingBody(by: InflatingDecoder(.gzip))
        case "deflate": return request.decodingBody(by: InflatingDecoder(.deflate))
        default: return request
        }
    }
}
