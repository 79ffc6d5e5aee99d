import HTTPTypes
import NIOCore

/// What an application or a group does with errors.
///
/// An error passes through the middleware as it was thrown. At the end, the error handlers of the innermost group are
/// asked in the order of their declaration, then those of the groups around it, then those of the application. The first
/// response counts; what a handler throws takes the place of the error. Without a response of theirs, `ResponseError` says
/// what is sent. Nothing of this costs a request without an error anything.
///
/// Errors are what handlers, `admit` and middleware throw, before anything of the response was sent, and those of the server
/// itself: 404 and 405 (`HTTPFailure`), rejected WebSocket handshakes (`HandshakeRejection`), bodies that are too large or
/// too slow, and requests that cannot be read (`HTTPError`). A group's handlers also see the errors of paths below its
/// prefix that no route takes.
///
/// A fault of the program, an error of status 5xx or one that is no `ResponseError`, is logged once, with route and request
/// ID, unless a handler responds to it with another status.
extension RouteBuilder {
    /// Responds to errors of this application or group; `nil` passes the error on.
    ///
    /// ```swift
    /// app.onError { error, request in
    ///     guard let error = error as? any ResponseError, error.status == .notFound else { return nil }
    ///     return try request.render("not-found", ["path": request.path], status: .notFound)
    /// }
    /// ```
    /// The request is as the server has received it, without what middleware has put beside it. There is none for requests
    /// that cannot be read: see `onError` with one parameter.
    public func onError(_ respond: @escaping @Sendable (any Error, Request) async throws -> Response?) {
        routes.add(ErrorHandler(ofRequest: respond))
    }

    /// Responds to errors for which no request is needed; `nil` passes the error on.
    ///
    /// It also sees requests that cannot be read (`HTTPError`) and connections above the limit, if it is declared on the
    /// application.
    ///
    /// ```swift
    /// app.onError { error in
    ///     error as? HTTPError == .tooManyConnections ? .html(busyPage, status: .serviceUnavailable) : nil
    /// }
    /// ```
    public func onError(_ respond: @escaping @Sendable (any Error) throws -> Response?) {
        routes.add(ErrorHandler(ofError: respond))
    }

    /// Makes a `ResponseError` of every error of one type, so that it is responded to like those.
    ///
    /// ```swift
    /// app.mapError(StoreError.self) { error in
    ///     HTTPFailure(.conflict, "\(error.key) is taken", problem: Problem(members: ["key": error.key]))
    /// }
    /// ```
    public func mapError<Failure: Error>(
        _ type: Failure.Type, _ map: @escaping @Sendable (Failure) -> any ResponseError
    ) {
        routes.add(
            ErrorHandler(ofError: { error in
                if let error = error as? Failure { throw map(error) }
                return nil
            }))
    }
}

extension RouteGroup {
    fileprivate func add(_ handler: ErrorHandler) {
        if table.mayDeclare("an error handler") { scope.add(handler) }
    }
}

extension Router {
    /// The error handlers of a request, the innermost first.
    package func errorHandlers(for request: Request?) -> [ErrorHandler] {
        guard let request, hasErrorHandlers else { return request == nil ? outerErrorHandlers : [] }
        let head = request.head
        var ranges = ParameterRanges()
        if let place = trie.place(of: head, method: head.method, &ranges) {
            return trie.routes[place].value.choice(for: request).errorHandlers + outerErrorHandlers
        }
        let layers = cover.layers(head.buffer.readableBytesUInt8Span, head.path)
        return layers.reversed().flatMap(\.errorHandlers) + outerErrorHandlers
    }
}
