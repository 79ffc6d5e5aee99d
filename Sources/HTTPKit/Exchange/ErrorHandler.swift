/// What an application does with errors: it responds, replaces the error by throwing another one, or passes it on.
package struct ErrorHandler: Sendable {
    private enum Kind {
        case ofRequest(@Sendable (any Error, Request) async throws -> Response?)
        case ofError(@Sendable (any Error) throws -> Response?)
    }

    private let kind: Kind

    /// A handler of the errors of requests.
    init(ofRequest handle: @escaping @Sendable (any Error, Request) async throws -> Response?) {
        kind = .ofRequest(handle)
    }

    /// A handler that needs no request.
    init(ofError handle: @escaping @Sendable (any Error) throws -> Response?) { kind = .ofError(handle) }

    func respond(to error: any Error, of request: Request) async throws -> Response? {
        switch kind {
        case .ofRequest(let handle): try await handle(error, request)
        case .ofError(let handle): try handle(error)
        }
    }

    /// The response without a request; `nil` if the handler needs one.
    func respond(to error: any Error) throws -> Response? {
        guard case .ofError(let handle) = kind else { return nil }
        return try handle(error)
    }
}
