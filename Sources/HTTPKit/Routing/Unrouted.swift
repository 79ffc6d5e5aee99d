import HTTPTypes
import NIOCore

/// The answers to requests that no route takes.
struct Unrouted: Sendable {
    let trie: RouteTrie<Endpoint>
    let cover: GroupCover
    /// All methods that are known here: the registered ones of RFC 9110 and those of declared routes.
    let methods: Set<HTTPRequest.Method>
    let trailingSlash: TrailingSlash
    /// The folders at `/`.
    let folders: FolderStack

    func respond(to request: Request) async throws -> Response {
        let head = request.head
        if isForWholeServer(head) {
            return allow(methods.filter { $0 != .connect && $0 != .trace })
        }
        if head.method == .connect, head.connectProtocol == nil { throw HTTPError.methodNotImplemented }
        switch trie.lookup(head.method, in: head.buffer, path: head.path) {
        case .methodNotAllowed(let allowed):
            return try await otherMethod(request, allowed + [.options])
        case .found, .notFound:
            guard methods.contains(head.method) else {
                return try await covered(request) { throw HTTPError.methodNotImplemented }
            }
            if let redirect = redirect(request) { return try await covered(request) { redirect } }
            return try await folders.respond(to: request)
        case .badEncoding:
            return try await covered(request) {
                throw HTTPFailure(
                    .badRequest,
                    "the path has a % without two hexadecimal digits behind it, or an escaped NUL")
            }
        case .dotSegment:
            return try await covered(request) {
                throw HTTPFailure(.badRequest, "the path has a segment . or ..")
            }
        }
    }

    /// The answer for a path that has routes of other methods.
    private func otherMethod(_ request: Request, _ allowed: [HTTPRequest.Method]) async throws -> Response {
        guard request.method == .options else {
            return try await covered(request) {
                if !methods.contains(request.method) { throw HTTPError.methodNotImplemented }
                let value = Self.list(allowed)
                throw HTTPFailure(.methodNotAllowed, "allowed here: \(value)", fields: [.allow: value])
            }
        }
        let answer = allow(allowed)
        // A preflight speaks for another request: the policy of that one's route is found among its middleware.
        var ranges = ParameterRanges()
        guard let method = request.preflightMethod,
            let place = trie.place(of: request.head, method: method, &ranges)
        else { return try await covered(request) { answer } }
        let route = trie.routes[place]
        if route.value.inner.isEmpty { return answer }
        // Middleware further out may have handed the request to other tasks, which must not see it change.
        var routed = request
        routed.setRoute(route.pattern, ranges)
        return try await Middleware.compose(route.value.inner) { _ in answer }(routed)
    }

    /// Where a route has the path with a slash more or less at its end, the redirect to that.
    private func redirect(_ request: Request) -> Response? {
        guard trailingSlash == .redirect, !request.head.path.isEmpty else { return nil }
        var path = Array(request.path.utf8)
        if path.last == UInt8(ascii: "/") { path.removeLast() } else { path.append(UInt8(ascii: "/")) }
        // A browser would take `//name` and `/\name` for another host.
        guard path.count > 1, path[1] != UInt8(ascii: "/"), path[1] != UInt8(ascii: "\\"),
            case .found = trie.lookup(request.method, in: ByteBuffer(bytes: path), path: 0..<path.count)
        else { return nil }
        var location = request.pathPrefix + String(decoding: path, as: UTF8.self)
        if let query = request.rawQuery { location += "?" + query }
        let isSafe = request.method == .get || request.method == .head
        return .redirect(to: location, status: isSafe ? .movedPermanently : .permanentRedirect)
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

    /// A response that tells what is allowed.
    private func allow(_ methods: some Sequence<HTTPRequest.Method>) -> Response {
        Response(status: .noContent, fields: [.allow: Self.list(methods)])
    }

    /// The value of an Allow field (RFC 9110 §10.2.1).
    private static func list(_ methods: some Sequence<HTTPRequest.Method>) -> String {
        var allowed = Array(Set(methods))
        MethodTable.sort(&allowed)
        return allowed.map(\.rawValue).joined(separator: ", ")
    }
}

extension Request {
    /// The method that a preflight asks for (Fetch standard, "CORS-preflight request"); `nil` when the request is none.
    var preflightMethod: HTTPRequest.Method? {
        guard method == .options, fields.contains(.origin) else { return nil }
        return fields[.accessControlRequestMethod].flatMap { HTTPRequest.Method($0) }
    }
}
