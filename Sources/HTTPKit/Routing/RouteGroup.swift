public import HTTPTypes
import NIOCore
import Synchronization

/// A place where routes are declared: below a prefix, behind middleware.
///
/// Routes are declared before the server starts. A pattern that is none, or one that is declared twice, is reported
/// when the server starts, with its text.
public struct RouteGroup: Sendable {
    package let table: RouteTable
    package let prefix: String
    package let middleware: [Middleware]

    package init(table: RouteTable, prefix: String = "", middleware: [Middleware] = []) {
        self.table = table
        self.prefix = prefix
        self.middleware = middleware
    }

    /// Declares a route: `{name}` in the path matches one segment, `{rest...}` at its end all that are left.
    public func on(_ method: HTTPRequest.Method, _ path: String, _ handler: @escaping Handler) {
        table.add(method, prefix + path, handler, behind: middleware)
    }

    /// A route of GET, and so of HEAD (RFC 9110 §9.3.1, §9.3.2).
    public func get(_ path: String, _ handler: @escaping Handler) { on(.get, path, handler) }
    /// A route of POST (RFC 9110 §9.3.3).
    public func post(_ path: String, _ handler: @escaping Handler) { on(.post, path, handler) }
    /// A route of PUT (RFC 9110 §9.3.4).
    public func put(_ path: String, _ handler: @escaping Handler) { on(.put, path, handler) }
    /// A route of PATCH (RFC 5789).
    public func patch(_ path: String, _ handler: @escaping Handler) { on(.patch, path, handler) }
    /// A route of DELETE (RFC 9110 §9.3.5).
    public func delete(_ path: String, _ handler: @escaping Handler) { on(.delete, path, handler) }

    /// The routes that `declare` adds stand below `prefix` and behind `middleware`.
    public func group(
        _ prefix: String = "", _ middleware: Middleware..., declare: (RouteGroup) throws -> Void
    ) rethrows {
        try declare(
            RouteGroup(table: table, prefix: self.prefix + prefix, middleware: self.middleware + middleware))
    }
}

/// What has been declared, in order.
package final class RouteTable: Sendable {
    struct Declaration {
        let method: HTTPRequest.Method
        let path: String
        let handler: Handler
        /// That of its groups.
        let middleware: [Middleware]
    }

    private let declarations = Mutex<[Declaration]>([])

    package init() {}

    func add(
        _ method: HTTPRequest.Method, _ path: String, _ handler: @escaping Handler,
        behind middleware: [Middleware]
    ) {
        let declaration = Declaration(method: method, path: path, handler: handler, middleware: middleware)
        declarations.withLock { $0.append(declaration) }
    }

    /// The router of all declared routes.
    ///
    /// - Parameters:
    ///   - middleware: stands around every answer, those of no route too, the first outermost.
    ///   - fallback: tried for paths without a route, such as static files.
    /// - Throws: `PathPatternError` or `RouteConflict`, which name the pattern.
    package func router(middleware: [Middleware] = [], fallback: Handler? = nil) throws -> Router {
        var builder = RouteTrieBuilder<Endpoint>()
        var methods: Set<HTTPRequest.Method> = [
            .get, .head, .post, .put, .delete, .connect, .options, .trace, .patch,
        ]
        let declarations = declarations.withLock { $0 }
        for declaration in declarations {
            let handler = Middleware.compose(
                middleware + declaration.middleware, around: declaration.handler)
            try builder.insert(
                declaration.method, try PathPattern(declaration.path), Endpoint(handler: handler))
            methods.insert(declaration.method)
        }
        let trie = builder.build()
        // Routes keep the order in which they were declared.
        let unrouted = Unrouted(
            trie: trie, middleware: declarations.map(\.middleware), methods: methods, fallback: fallback)
        return Router(
            trie: trie,
            unrouted: Middleware.compose(middleware) { request in try await unrouted.respond(to: request) })
    }
}

/// What a route leads to. A function by itself would be wrapped anew wherever it passes through a generic type, and
/// each call would pay for every wrapper.
struct Endpoint: Sendable {
    let handler: Handler
}

/// Finds the handler of a request.
package final class Router: Sendable {
    let trie: RouteTrie<Endpoint>
    /// Answers what has no route.
    let unrouted: Handler

    init(trie: RouteTrie<Endpoint>, unrouted: @escaping Handler) {
        self.trie = trie
        self.unrouted = unrouted
    }

    /// The handler that answers the request, middleware around it; the request learns its route.
    ///
    /// A lookup waits for nothing, so it is done before the handler's asynchronous call, and costs none of its own.
    package func handler(for request: Request) -> Handler {
        var ranges = ParameterRanges()
        guard let place = request.place(in: trie, &ranges) else { return unrouted }
        let route = trie.routes[place]
        request.setRoute(route.pattern, ranges)
        return route.value.handler
    }
}

/// The answers to requests that no route takes.
private struct Unrouted: Sendable {
    let trie: RouteTrie<Endpoint>
    /// The middleware of each route's groups, in the order of the trie's routes.
    let middleware: [[Middleware]]
    /// All methods that are known here: the registered ones of RFC 9110 and those of declared routes.
    let methods: Set<HTTPRequest.Method>
    let fallback: Handler?

    func respond(to request: Request) async throws -> Response {
        let head = request.head
        if isForWholeServer(head) {
            return allow(methods.filter { $0 != .connect && $0 != .trace }, status: .noContent)
        }
        if head.method == .connect { throw HTTPFailure(.notImplemented, "this server is no proxy") }
        switch trie.lookup(head.method, in: head.buffer, path: head.path) {
        case .methodNotAllowed(let allowed):
            if head.method == .options {
                return try await options(of: request, allow(allowed + [.options], status: .noContent))
            }
            try checkMethod(head.method)
            return allow(allowed + [.options], status: .methodNotAllowed)
        case .found, .notFound:
            try checkMethod(head.method)
            guard let fallback else { throw HTTPFailure(.notFound, "nothing is here") }
            return try await fallback(request)
        case .badEncoding:
            throw HTTPFailure(
                .badRequest, "the path has a % without two hexadecimal digits behind it, or an escaped NUL")
        case .dotSegment:
            throw HTTPFailure(.badRequest, "the path has a segment . or ..")
        }
    }

    /// `answer` to OPTIONS of a path. A preflight speaks for another request, so the middleware of that one's route
    /// stands around its answer: there the policy of a group is found.
    private func options(of request: Request, _ answer: Response) async throws -> Response {
        var ranges = ParameterRanges()
        guard let method = CORSPolicy.preflightMethod(of: request),
            let place = trie.place(of: request.head, method: method, &ranges), !middleware[place].isEmpty
        else { return answer }
        request.setRoute(trie.routes[place].pattern, ranges)
        return try await Middleware.compose(middleware[place]) { _ in answer }(request)
    }

    /// OPTIONS of `*`, or of an absolute target without path and query (RFC 9112 §3.2.4).
    private func isForWholeServer(_ head: RequestHead) -> Bool {
        switch head.form {
        case .asterisk: true
        case .absolute(_, let path, let query): head.method == .options && path.isEmpty && query == nil
        case .origin, .authority: false
        }
    }

    private func checkMethod(_ method: HTTPRequest.Method) throws {
        if !methods.contains(method) { throw HTTPError.methodNotImplemented }
    }

    /// An answer that tells what is allowed (RFC 9110 §10.2.1).
    private func allow(_ methods: some Sequence<HTTPRequest.Method>, status: HTTPResponse.Status) -> Response
    {
        var allowed = Array(Set(methods))
        MethodTable.sort(&allowed)
        let value = allowed.map(\.rawValue).joined(separator: ", ")
        var response =
            status == .noContent
            ? Response(status: status) : Response.text("allowed here: \(value)\n", status: status)
        response.fields[.allow] = value
        return response
    }
}
