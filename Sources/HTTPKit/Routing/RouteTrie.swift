public import HTTPTypes
package import NIOCore

/// Two routes that the same requests would match.
public struct RouteConflict: Error, Equatable, CustomStringConvertible {
    /// The method of both.
    public let method: HTTPRequest.Method
    /// The pattern that was declared first.
    public let first: PathPattern
    /// The one that was declared again; its parameters may be named differently.
    public let second: PathPattern

    package init(method: HTTPRequest.Method, first: PathPattern, second: PathPattern) {
        self.method = method
        self.first = first
        self.second = second
    }

    /// Names both patterns.
    public var description: String {
        "\(method) \(second) is declared although \(method) \(first) matches the same requests"
    }
}

/// What a request's method and path lead to.
package enum RouteLookup<Value> {
    /// A route and what its parameters matched.
    case found(Value, PathParameters)
    /// The path has routes, of other methods: 405 with these in Allow (RFC 9110 §15.5.6). HEAD is there with GET.
    case methodNotAllowed([HTTPRequest.Method])
    /// No route has this path: 404.
    case notFound
    /// A `%` without two hexadecimal digits behind it (RFC 3986 §2.1), or an escaped NUL, which has no place in any
    /// path and ends texts for some: 400.
    case badEncoding
    /// A segment that decodes to `.` or `..`: 400, or whatever removes it (RFC 3986 §5.2.4).
    case dotSegment
}

/// All routes of a server, found by method and path; immutable once built.
///
/// The most specific route wins, whatever the order of declaration: segment by segment, plain text before
/// `{name}` before `{rest...}`; a way that ends without a route of the method is given up for the next. A lookup
/// visits each node of the trie at most once, and allocates nothing for a path without escapes and with at most
/// four parameters.
package struct RouteTrie<Value> {
    struct Route {
        let pattern: PathPattern
        let value: Value
    }

    let index: RouteIndex
    let routes: [Route]

    /// How many routes there are.
    package var count: Int { routes.count }

    /// Looks up a request.
    /// - Parameters:
    ///   - method: The request's method; HEAD finds the route of GET unless it has its own.
    ///   - head: The octets that hold the path; the parameters keep them.
    ///   - path: The raw, still percent-encoded path, counted from the first readable octet; empty means `/`
    ///     (RFC 9110 §4.2.3).
    package func lookup(_ method: HTTPRequest.Method, in head: ByteBuffer, path: Range<Int>) -> RouteLookup<
        Value
    > {
        if path.isEmpty { return lookup(method, in: RouteIndex.slash, path: 0..<1) }
        var ranges = ParameterRanges()
        switch index.find(method, head.readableBytesUInt8Span, path, &ranges) {
        case .route(let place):
            let route = routes[Int(place)]
            return .found(route.value, PathParameters(head, route.pattern, ranges))
        case .none(sawRoute: false): return .notFound
        case .none(sawRoute: true):
            return .methodNotAllowed(index.allowed(head.readableBytesUInt8Span, path))
        case .failed(.badEncoding): return .badEncoding
        case .failed(.dotSegment): return .dotSegment
        }
    }
}

extension RouteTrie {
    /// Where in `routes` the route of a request stands, as one of `method`; `nil` when it has none.
    @inline(__always)
    func place(of head: RequestHead, method: HTTPRequest.Method, _ ranges: inout ParameterRanges) -> Int? {
        switch head.form {
        case .authority, .asterisk: return nil
        case .absolute(_, let path, let query)
        where head.method == .options && path.isEmpty && query == nil:
            // For the server as a whole (RFC 9112 §3.2.4).
            return nil
        case .origin(let path, _), .absolute(_, let path, _):
            let (bytes, path) = path.isEmpty ? (RouteIndex.slash, 0..<1) : (head.buffer, path)
            let outcome = index.find(method, bytes.readableBytesUInt8Span, path, &ranges)
            guard case .route(let place) = outcome else { return nil }
            return Int(place)
        }
    }
}

extension RouteTrie: Sendable where Value: Sendable {}
extension RouteTrie.Route: Sendable where Value: Sendable {}
