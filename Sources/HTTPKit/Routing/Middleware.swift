import HTTPTypes
public import Logging
import NIOCore

/// Middleware as a type of its own; `Middleware` is the same as a closure.
///
/// ```swift
/// struct NoStore: MiddlewareProtocol {
///     func respond(to request: Request, next: Handler) async throws -> Response {
///         var response = try await next(request)
///         response.fields[.cacheControl] = "no-store"
///         return response
///     }
/// }
///
/// app.use(NoStore())
/// ```
public protocol MiddlewareProtocol: Sendable {
    /// Answers the request: by `next`, the handler behind this middleware, or by itself.
    ///
    /// What it throws is an error of the request, as if a handler had thrown it.
    func respond(to request: Request, next: Handler) async throws -> Response
}

/// Code around handlers: it sees the request first and the answer last, and may answer by itself.
///
/// ```swift
/// let noStore = Middleware { request, next in
///     var response = try await next(request)
///     response.fields[.cacheControl] = "no-store"
///     return response
/// }
/// ```
/// An upgrade passes through as an answer of status 101: middleware may refuse it by returning another answer.
public struct Middleware: MiddlewareProtocol {
    /// What it does with a request and the handler behind it.
    public let handle: @Sendable (Request, Handler) async throws -> Response
    /// A mistake in how it was made. The application reports it when it starts.
    package var problem: (any Error)?

    /// Middleware of a closure.
    public init(_ handle: @escaping @Sendable (Request, Handler) async throws -> Response) {
        self.handle = handle
    }

    /// Middleware of another type as a `Middleware`.
    init(wrapping middleware: some MiddlewareProtocol) {
        handle = { request, next in try await middleware.respond(to: request, next: next) }
        problem = (middleware as? Middleware)?.problem
    }

    /// Answers the request by the closure.
    public func respond(to request: Request, next: Handler) async throws -> Response {
        try await handle(request, next)
    }

    /// `handler` with `middleware` around it, the first outermost.
    package static func compose(_ middleware: [Middleware], around handler: @escaping Handler) -> Handler {
        // No `reduce`: a function that passes through a generic one is wrapped, and each call pays for the wrapper.
        var composed = handler
        for layer in middleware.reversed() {
            let next = composed
            composed = { request in try await layer.handle(request, next) }
        }
        return composed
    }
}

extension Middleware {
    /// Logs each request at level info when its response has been handed over: method, path, status, time, the bytes of
    /// the body, and the id where there is one, also that of `requestID` further in.
    ///
    /// A streamed response is logged at its end, with the time that it took. A connection that ended before is logged as
    /// `end=aborted`. The status is the one that was sent.
    ///
    /// - Parameter logger: where to log; `nil` is the server's own logger, with its level.
    public static func accessLog(_ logger: Logger? = nil) -> Middleware {
        Middleware { request, next in
            guard let logger = logger ?? request.connection.logger else { return try await next(request) }
            let start = LoopInstant.now
            defer { request.onEnd { Self.log(request, since: start, end: $0, to: logger) } }
            return try await next(request)
        }
    }

    private static func log(_ request: Request, since start: LoopInstant, end: ExchangeEnd, to logger: Logger)
    {
        var metadata: Logger.Metadata = [
            "method": "\(request.method.rawValue)", "path": .clean(request.path),
            "status": "\(end.status)", "bytes": "\(end.bytes)",
            "ms": "\(LoopInstant.now.milliseconds - start.milliseconds)",
        ]
        if !end.isComplete { metadata["end"] = "aborted" }
        if let id = request.id ?? end.id { metadata["id"] = .clean(id) }
        logger.info("request", metadata: metadata)
    }

    /// `accessLog()` with the server's own logger.
    public static var accessLog: Middleware { accessLog() }

    /// Gives each request an id: that of `X-Request-Id` where a trusted proxy sends one that is plain (at most 128 visible
    /// characters), a random one otherwise. It is sent back in the same field, on errors too, and is there as `Request.id`,
    /// for middleware further out as well.
    ///
    /// What other clients send is not believed: they could have their requests logged under the id of another's.
    public static var requestID: Middleware {
        Middleware { request, next in
            var request = request
            let isFromProxy = request.connection.isProxy != nil
            let id =
                (isFromProxy ? request.fields[.xRequestID].flatMap(RequestID.accept) : nil)
                ?? RequestID.random()
            request[RequestID.self] = id
            request.connection.setID(id, exchange: request.exchange)
            do {
                var response = try await next(request)
                response.fields[.xRequestID] = id
                response.body = response.body.failing(with: [.xRequestID: id], of: request)
                return response
            } catch {
                request.addErrorFields([.xRequestID: id])
                throw error
            }
        }
    }

    /// Sets fields that make pages safer where an answer does not set them itself: no sniffing of media types, no
    /// framing by others, no referrer to others, and a Content-Security-Policy (by default: this origin only).
    ///
    /// `connect-src 'self'` covers sockets of the page's own host too (CSP Level 3 §6.7.2.8). To let a page connect to
    /// another host, pass a policy that names it.
    public static func securityHeaders(
        contentSecurityPolicy: String? =
            "default-src 'self'; connect-src 'self'; frame-ancestors 'none'"
    ) -> Middleware {
        var fields: HTTPFields = [.xContentTypeOptions: "nosniff"]
        if let referrer = HTTPField.Name("Referrer-Policy") { fields[referrer] = "same-origin" }
        if let contentSecurityPolicy { fields[.contentSecurityPolicy] = contentSecurityPolicy }
        let safer = fields
        return Middleware { request, next in
            var response: Response
            do {
                response = try await next(request)
            } catch {
                request.addErrorFields(safer)
                throw error
            }
            guard response.upgrade == nil else { return response }
            response.body = response.body.failing(with: safer, of: request)
            for field in safer where response.fields[field.name] == nil { response.fields.append(field) }
            return response
        }
    }
}

extension Middleware {
    /// Answers GET and HEAD with 304 when the client has the version that the handler's ETag or Last-Modified names, and
    /// with 412 when If-Match or If-Unmodified-Since fails: `Response.conditional(on:)` for every response.
    ///
    /// Put it outside of middleware that changes entity tags, such as `compress`.
    public static var conditional: Middleware {
        Middleware { request, next in try await next(request).conditional(on: request) }
    }
}

extension ResponseBody {
    /// The same content; where its writer fails before the first byte, the response to that has `fields` too.
    func failing(
        with fields: HTTPFields, of request: Request, unless name: HTTPField.Name? = nil
    ) -> ResponseBody {
        guard case .stream(let length, let write) = storage else { return self }
        return .stream(length: length) { writer in
            do {
                try await write(writer)
            } catch {
                request.addErrorFields(fields, unless: name)
                throw error
            }
        }
    }
}

/// The id of a request, among its values.
enum RequestID: RequestKey {
    typealias Value = String

    static func accept(_ text: String) -> String? {
        let isPlain = !text.isEmpty && text.utf8.count <= 128 && text.utf8.allSatisfy { $0.isVisible }
        return isPlain ? text : nil
    }

    static func random() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension Request {
    /// The id that the middleware `requestID` has given.
    public var id: String? { self[RequestID.self] ?? connection.id(of: exchange) }
}

extension HTTPField.Name {
    static let xRequestID = HTTPField.Name("X-Request-Id") ?? .via
}
