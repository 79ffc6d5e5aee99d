import HTTPTypes
import NIOCore

/// The answers to requests that no route takes.
struct Unrouted: Sendable {
    let trie: RouteTrie<Endpoint>
    let cover: GroupCover
    /// All methods that are known here: the registered ones of RFC 9110 and those of declared routes.
    let methods: Set<HTTPRequest.Method>
    /// The folders at `/`.
    let folders: FolderStack

    func respond(to request: Request) async throws -> Response {
        let head = request.head
        if isForWholeServer(head) {
            return allow(methods.filter { $0 != .connect && $0 != .trace }, status: .noContent)
        }
        if head.method == .connect { throw HTTPFailure(.notImplemented, "this server is no proxy") }
        switch trie.lookup(head.method, in: head.buffer, path: head.path) {
        case .methodNotAllowed(let allowed):
            return try await otherMethod(request, allowed + [.options])
        case .found, .notFound:
            if methods.contains(head.method) { return try await folders.respond(to: request) }
            return try await covered(request) { throw HTTPError.methodNotImplemented }
        case .badEncoding:
            throw HTTPFailure(
                .badRequest, "the path has a % without two hexadecimal digits behind it, or an escaped NUL")
        case .dotSegment:
            throw HTTPFailure(.badRequest, "the path has a segment . or ..")
        }
    }

    /// The answer for a path that has routes of other methods.
    private func otherMethod(_ request: Request, _ allowed: [HTTPRequest.Method]) async throws -> Response {
        guard request.method == .options else {
            return try await covered(request) {
                if !methods.contains(request.method) { throw HTTPError.methodNotImplemented }
                return allow(allowed, status: .methodNotAllowed)
            }
        }
        let answer = allow(allowed, status: .noContent)
        // A preflight speaks for another request: the policy of that one's route is found among its middleware.
        var ranges = ParameterRanges()
        guard let method = CORSPolicy.preflightMethod(of: request),
            let place = trie.place(of: request.head, method: method, &ranges)
        else { return try await covered(request) { answer } }
        let route = trie.routes[place]
        if route.value.inner.isEmpty { return answer }
        request.setRoute(route.pattern, ranges)
        return try await Middleware.compose(route.value.inner) { _ in answer }(request)
    }

    /// `answer` behind the middleware of the groups whose prefix covers the path.
    private func covered(
        _ request: Request, _ answer: @escaping @Sendable () throws -> Response
    ) async throws -> Response {
        let head = request.head
        let layers = cover.layers(head.buffer.readableBytesUInt8Span, head.path)
        if layers.isEmpty { return try answer() }
        return try await Middleware.compose(layers.flatMap(\.middleware)) { _ in try answer() }(request)
    }

    /// OPTIONS of `*`, or of an absolute target without path and query (RFC 9112 §3.2.4).
    private func isForWholeServer(_ head: RequestHead) -> Bool {
        switch head.form {
        case .asterisk: true
        case .absolute(_, let path, let query): head.method == .options && path.isEmpty && query == nil
        case .origin, .authority: false
        }
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
