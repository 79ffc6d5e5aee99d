/// What answers the requests of a server.
package enum Responder: Sendable {
    /// One function for all of them.
    case function(Handler)
    /// The routes of an application.
    case router(Router)

    @inline(never)
    package func handler(for request: Request) -> Handler {
        switch self {
        case .function(let handler): handler
        case .router(let router): router.handler(for: request)
        }
    }
}
