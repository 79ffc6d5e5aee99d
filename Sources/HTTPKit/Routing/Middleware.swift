/// A function from a request to its response: a route's handler, or all of an application.
///
/// It runs on the event loop of the request's connection; what blocks belongs in `offload`.
public typealias Handler = @Sendable (Request) async throws -> Response

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
