import HTTPTypes

extension RouteBuilder {
    /// Declares that a path can change to another protocol, such as `websocket`.
    ///
    /// `handler` takes the requests that ask for the protocol by the fields Upgrade and Connection (RFC 9110 §7.8). A carrier
    /// other than HTTP/1.1 may also bring an extended CONNECT (RFC 8441). The handler agrees with `Response.upgrade(fields:_:)`, and
    /// rejects with any other response. All other GET requests go to the route of GET that is declared at the same path.
    /// If there is none, the handler gets them too, so that it can say which protocol the path wants (426).
    ///
    /// - Parameters:
    ///   - path: The path. A page may be declared at the same path, with the same parameter names.
    ///   - name: The protocol's name in the Upgrade field.
    ///   - handler: What responds to the request.
    public func upgrade(_ path: String, to name: String, _ handler: @escaping Handler) {
        routes.table.add(.upgrade(name), path, handler, in: routes.scope)
    }
}

extension Request {
    /// Whether the request asks to change to the protocol `name`: by its Upgrade and Connection fields (RFC 9110 §7.8), or
    /// as an extended CONNECT (RFC 8441 §4).
    public func asksForUpgrade(to name: String) -> Bool {
        if method == .connect { return head.connectProtocol == name }
        // Most requests have no Upgrade field. Then no values are parsed.
        guard method == .get, fields.contains(.upgrade) else { return false }
        return FieldList.contains(name, in: fields[values: .upgrade])
            && FieldList.contains("upgrade", in: fields[values: .connection])
    }
}

/// What a route is found by, besides its path.
enum RouteKind: Sendable, CustomStringConvertible {
    /// A request with this method.
    case method(HTTPRequest.Method)
    /// A request that asks to change to the protocol of this name.
    case upgrade(String)

    var description: String {
        switch self {
        case .method(let method): method.rawValue
        case .upgrade(let name): "an upgrade to \(name) at"
        }
    }
}

/// The protocols that one path can change to, and the page that shares the path.
struct UpgradeRoutes: Sendable {
    let pattern: PathPattern
    /// At least one.
    private var upgrades: [(name: String, endpoint: Endpoint)]
    private var page: Endpoint?

    init(_ name: String, at pattern: PathPattern, _ endpoint: Endpoint) {
        self.pattern = pattern
        upgrades = [(name, endpoint)]
    }

    /// Adds another protocol.
    ///
    /// - Throws: `RouteConflict` if it is declared already, or its parameters have other names.
    mutating func add(_ name: String, at other: PathPattern, _ endpoint: Endpoint) throws(RouteConflict) {
        try check(other, isFree: !upgrades.contains { $0.name == name })
        upgrades.append((name, endpoint))
    }

    /// Adds the route of GET.
    ///
    /// - Throws: `RouteConflict` if there is one already, or its parameters have other names.
    mutating func add(page endpoint: Endpoint, at other: PathPattern) throws(RouteConflict) {
        try check(other, isFree: page == nil)
        page = endpoint
    }

    private func check(_ other: PathPattern, isFree: Bool) throws(RouteConflict) {
        guard isFree, other.parameterNames == pattern.parameterNames else {
            throw RouteConflict(method: .get, first: pattern, second: other)
        }
    }

    /// What takes the requests of GET: upgrades, and the page. Without a page, the first protocol takes all others.
    var get: Endpoint {
        let first = upgrades[0].endpoint
        return page == nil && upgrades.count == 1 ? first : choice(otherwise: page ?? first)
    }

    /// What takes extended CONNECT requests. One for another protocol gets 501 (RFC 9220 §3).
    var connect: Endpoint {
        let names = upgrades.map(\.name).joined(separator: ", ")
        let first = upgrades[0].endpoint
        return choice(
            otherwise: Endpoint(
                handler: { _ in
                    throw HTTPFailure(.notImplemented, "this path changes to \(names) only")
                }, inner: first.inner, errorHandlers: first.errorHandlers))
    }

    /// An endpoint that hands a request to the protocol that it asks for, and all others to `standard`.
    private func choice(otherwise standard: Endpoint) -> Endpoint {
        var choosing = standard
        choosing.upgrades = upgrades
        return Endpoint(
            handler: { [choosing] request in
                let handler = choosing.choice(for: request).handler
                return try await handler(request)
            }, inner: standard.inner, errorHandlers: standard.errorHandlers, upgrades: upgrades)
    }
}

extension PathPattern {
    /// The segments without the names of parameters: patterns of one shape match the same paths.
    var shape: [Segment] {
        segments.map { segment in
            switch segment {
            case .literal: segment
            case .parameter: .parameter("")
            case .rest: .rest("")
            }
        }
    }
}
