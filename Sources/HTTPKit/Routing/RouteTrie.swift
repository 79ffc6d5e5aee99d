public import HTTPTypes
package import NIOCore

/// Two routes that the same requests would match.
public struct RouteConflict: Error, Equatable, CustomStringConvertible {
    /// The method of both.
    public let method: HTTPRequest.Method
    /// The pattern that was declared first, and the one that was declared again; their parameters may be named
    /// differently.
    public let first: PathPattern
    public let second: PathPattern

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
    /// A `%` without two hexadecimal digits behind it: 400 (RFC 3986 §2.1).
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
    /// A place between two slashes.
    struct Node {
        var statics = StaticChildren()
        /// The node behind `{name}`, or -1.
        var parameter: Int32 = -1
        /// The methods of patterns that end here, or -1.
        var table: Int32 = -1
        /// The methods of patterns that end in `{rest...}` here, or -1.
        var restTable: Int32 = -1
    }

    struct Route {
        let pattern: PathPattern
        let value: Value
    }

    let nodes: [Node]
    let literals: StaticLiterals
    let tables: [MethodTable]
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
        if path.isEmpty { return lookup(method, in: Self.slash, path: 0..<1) }
        let bytes = head.readableBytesUInt8Span
        guard path.lowerBound >= 0, path.upperBound <= min(bytes.count, Int(UInt32.max)),
            bytes[path.lowerBound] == UInt8(ascii: "/")
        else { return .notFound }
        let form: PathForm
        switch PathForm.check(bytes, path) {
        case .failure(.badEncoding): return .badEncoding
        case .failure(.dotSegment): return .dotSegment
        case .success(let checked): form = checked
        }
        var walk = RouteWalk(method: MethodKey(method), end: path.upperBound, form: form)
        let place = find(&walk, bytes, node: 0, start: path.lowerBound &+ 1)
        if place >= 0 {
            let route = routes[Int(place)]
            return .found(route.value, PathParameters(head, route.pattern, walk.ranges))
        }
        return walk.sawRoute ? .methodNotAllowed(allowed(bytes, path, form)) : .notFound
    }

    private static var slash: ByteBuffer { ByteBuffer(integer: UInt8(ascii: "/")) }

    /// The place of the most specific route below `node` for the path from `start` on, or -1.
    private func find(_ walk: inout RouteWalk, _ bytes: borrowing Span<UInt8>, node: Int, start: Int) -> Int32
    {
        var end = start
        while end < walk.end, bytes[end] != UInt8(ascii: "/") { end &+= 1 }
        let isLast = end == walk.end
        let here = nodes[node]
        let child = literals.child(here.statics, bytes, start..<end, mayBeEscaped: walk.form == .escaped)
        if child >= 0 {
            let place =
                isLast
                ? walk.answer(nodes[Int(child)].table, tables)
                : find(&walk, bytes, node: Int(child), start: end &+ 1)
            if place >= 0 { return place }
        }
        if here.parameter >= 0, start < end {
            walk.ranges.push(start..<end)
            let place =
                isLast
                ? walk.answer(nodes[Int(here.parameter)].table, tables)
                : find(&walk, bytes, node: Int(here.parameter), start: end &+ 1)
            if place >= 0 { return place }
            walk.ranges.pop()
        }
        if here.restTable >= 0 {
            walk.ranges.push(start..<walk.end)
            let place = walk.answer(here.restTable, tables)
            if place >= 0 { return place }
            walk.ranges.pop()
        }
        return -1
    }

    /// The methods of all routes that match the path: a walk that no route ends.
    private func allowed(
        _ bytes: borrowing Span<UInt8>, _ path: Range<Int>, _ form: PathForm
    ) -> [HTTPRequest.Method] {
        var walk = RouteWalk(method: nil, end: path.upperBound, form: form)
        _ = find(&walk, bytes, node: 0, start: path.lowerBound &+ 1)
        MethodTable.sort(&walk.allowed)
        return walk.allowed
    }
}

extension RouteTrie: Sendable where Value: Sendable {}
extension RouteTrie.Node: Sendable {}
extension RouteTrie.Route: Sendable where Value: Sendable {}

/// What a walk through the trie carries along.
struct RouteWalk {
    /// The wanted method; with `nil`, the walk ends nowhere and gathers what is allowed.
    let method: MethodKey?
    /// Where the path ends.
    let end: Int
    let form: PathForm
    var ranges = ParameterRanges()
    /// Whether a route of another method was met.
    var sawRoute = false
    var allowed: [HTTPRequest.Method] = []

    init(method: MethodKey?, end: Int, form: PathForm) {
        self.method = method
        self.end = end
        self.form = form
    }

    /// The place of the route that answers the method at the end of a way, or -1.
    @inline(__always)
    mutating func answer(_ table: Int32, _ tables: [MethodTable]) -> Int32 {
        guard table >= 0 else { return -1 }
        sawRoute = true
        guard let method else {
            tables[Int(table)].collect(into: &allowed)
            return -1
        }
        return tables[Int(table)].place(for: method)
    }
}

/// What one look at a raw path says before it is routed.
enum PathForm {
    /// No escape in it: segments are compared as they are.
    case plain
    /// Escapes, all of them valid.
    case escaped

    enum Failure: Error {
        case badEncoding
        case dotSegment
    }

    /// Looks for escapes without two hexadecimal digits and for dot segments; `path` begins with a slash.
    static func check(_ bytes: borrowing Span<UInt8>, _ path: Range<Int>) -> Result<PathForm, Failure> {
        var form = PathForm.plain
        var start = path.lowerBound
        var mayBeDot = true
        var hasDot = false
        var index = path.lowerBound
        while index < path.upperBound {
            switch bytes[index] {
            case UInt8(ascii: "/"):
                if mayBeDot, index > start, DotSegments.isDot(bytes, start..<index) { hasDot = true }
                start = index &+ 1
                mayBeDot = true
                index &+= 1
            case UInt8(ascii: "%"):
                guard index &+ 2 < path.upperBound, bytes[index &+ 1].hexDigitValue != nil,
                    bytes[index &+ 2].hexDigitValue != nil
                else { return .failure(.badEncoding) }
                form = .escaped
                index &+= 3
            case UInt8(ascii: "."):
                index &+= 1
            default:
                mayBeDot = false
                index &+= 1
            }
        }
        if mayBeDot, DotSegments.isDot(bytes, start..<path.upperBound) { hasDot = true }
        return hasDot ? .failure(.dotSegment) : .success(form)
    }
}
