import HTTPTypes

extension RouteBuilder {
    /// Declares that a path can change to another protocol, such as `websocket`.
    ///
    /// `handler` takes the requests that ask for the protocol: by the fields Upgrade and Connection in HTTP/1.1
    /// (RFC 9110 §7.8), or by an extended CONNECT in HTTP/2 (RFC 8441). It agrees with `Response.upgrade(fields:_:)`, and
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
        case .upgrade(let name): "an upgrade to \(name),"
        }
    }
}

/// The protocols that one path can change to, and the page that shares the path.
struct UpgradeRoutes: Sendable {
    let pattern: PathPattern
    private let first: Endpoint
    private var upgrades: [(name: String, endpoint: Endpoint)]
    private var page: Endpoint?

    init(_ name: String, at pattern: PathPattern, _ endpoint: Endpoint) {
        self.pattern = pattern
        first = endpoint
        upgrades = [(name, endpoint)]
    }

    /// Adds another protocol.
    ///
    /// - Throws: `RouteConflict` if it is declared already, or its parameters have other names.
    mutating func add(_ name: String, at other: PathPattern, _ endpoint: Endpoint) throws(RouteConflict) {
        guard other.parameterNames == pattern.parameterNames, !upgrades.contains(where: { $0.name == name })
        else {
            throw RouteConflict(method: .get, first: pattern, second: other)
        }
        upgrades.append((name, endpoint))
    }

    /// Adds the route of GET.
    ///
    /// - Throws: `RouteConflict` if there is one already, or its parameters have other names.
    mutating func add(page endpoint: Endpoint, at other: PathPattern) throws(RouteConflict) {
        guard other.parameterNames == pattern.parameterNames, page == nil else {
            throw RouteConflict(method: .get, first: pattern, second: other)
        }
        page = endpoint
    }

    /// What takes the requests of GET: upgrades, and the page.
    var get: Endpoint {
        if page == nil, upgrades.count == 1 { return first }
        let upgrades = upgrades
        let page = page ?? first
        return Endpoint(
            handler: { request in
                for upgrade in upgrades where request.asksForUpgrade(to: upgrade.name) {
                    return try await upgrade.endpoint.handler(request)
                }
                return try await page.handler(request)
            }, inner: page.inner, errorHandlers: page.errorHandlers)
    }

    /// What takes extended CONNECT requests. One for another protocol gets 501 (RFC 9220 §3).
    var connect: Endpoint {
        let upgrades = upgrades
        return Endpoint(
            handler: { request in
                for upgrade in upgrades where request.asksForUpgrade(to: upgrade.name) {
                    return try await upgrade.endpoint.handler(request)
                }
                throw HTTPFailure(
                    .notImplemented,
                    "this path changes to \(upgrades.map(\.name).joined(separator: ", ")) only")
            }, inner: first.inner, errorHandlers: first.errorHandlers)
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
