extension Middleware {
    /// Answers GET and HEAD with 304 when the client has the version that the handler's ETag or Last-Modified names, and
    /// with 412 when If-Match or If-Unmodified-Since fails: `Response.conditional(on:)` for every response.
    ///
    /// Put it outside of middleware that changes entity tags, such as `compress`.
    public static var conditional: Middleware {
        Middleware { request, next in try await next(request).conditional(on: request) }
    }
}
