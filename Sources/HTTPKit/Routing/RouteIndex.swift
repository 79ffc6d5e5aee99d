import HTTPTypes
import NIOCore

/// The trie without its values: what is behind a method and a path is the place of a route in a table.
struct RouteIndex: Sendable {
    /// A place between two slashes.
    struct Node: Sendable {
        var statics = StaticChildren()
        /// The node behind `{name}`, or -1.
        var parameter: Int32 = -1
        /// The methods of patterns that end here, or -1.
        var table: Int32 = -1
        /// The methods of patterns that end in `{rest...}` here, or -1.
        var restTable: Int32 = -1
    }

    enum Outcome {
        case route(Int32)
        case none(sawRoute: Bool)
        case failed(PathForm.Failure)
    }

    let nodes: [Node]
    let literals: StaticLiterals
    let tables: [MethodTable]

    static let slash = ByteBuffer(integer: UInt8(ascii: "/"))

    /// The place of the route for a request.
    func find(
        _ method: HTTPRequest.Method, _ bytes: borrowing Span<UInt8>, _ path: Range<Int>,
        _ ranges: inout ParameterRanges
    ) -> Outcome {
        guard path.lowerBound >= 0, path.upperBound <= min(bytes.count, Int(UInt32.max)),
            bytes[path.lowerBound] == UInt8(ascii: "/")
        else { return .none(sawRoute: false) }
        let form: PathForm
        switch PathForm.check(bytes, path) {
        case .failure(let failure): return .failed(failure)
        case .success(let checked): form = checked
        }
        var walk = RouteWalk(method: MethodKey(method), end: path.upperBound, form: form)
        let place = find(&walk, bytes, node: 0, start: path.lowerBound &+ 1, &ranges)
        return place >= 0 ? .route(place) : .none(sawRoute: walk.sawRoute)
    }

    /// The methods of all routes that match the path, which has been looked up: a walk that no route ends.
    func allowed(_ bytes: borrowing Span<UInt8>, _ path: Range<Int>) -> [HTTPRequest.Method] {
        var walk = RouteWalk(method: nil, end: path.upperBound, form: .escaped)
        var ranges = ParameterRanges()
        _ = find(&walk, bytes, node: 0, start: path.lowerBound &+ 1, &ranges)
        MethodTable.sort(&walk.allowed)
        return walk.allowed
    }

    /// The place of the most specific route below `node` for the path from `start` on, or -1.
    private func find(
        _ walk: inout RouteWalk, _ bytes: borrowing Span<UInt8>, node: Int, start: Int,
        _ ranges: inout ParameterRanges
    ) -> Int32 {
        let end = bytes.firstIndex(of: UInt8(ascii: "/"), in: start..<walk.end)
        let isLast = end == walk.end
        let here = nodes[node]
        let child = literals.child(here.statics, bytes, start..<end, mayBeEscaped: walk.form == .escaped)
        if child >= 0 {
            let place =
                isLast
                ? walk.answer(nodes[Int(child)].table, tables)
                : find(&walk, bytes, node: Int(child), start: end &+ 1, &ranges)
            if place >= 0 { return place }
        }
        if here.parameter >= 0, start < end {
            ranges.push(start..<end)
            let place =
                isLast
                ? walk.answer(nodes[Int(here.parameter)].table, tables)
                : find(&walk, bytes, node: Int(here.parameter), start: end &+ 1, &ranges)
            if place >= 0 { return place }
            ranges.pop()
        }
        if here.restTable >= 0 {
            ranges.push(start..<walk.end)
            let place = walk.answer(here.restTable, tables)
            if place >= 0 { return place }
            ranges.pop()
        }
        return -1
    }
}

/// What a walk through the trie carries along.
struct RouteWalk {
    /// The wanted method; with `nil`, the walk ends nowhere and gathers what is allowed.
    let method: MethodKey?
    /// Where the path ends.
    let end: Int
    let form: PathForm
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

    /// Looks for escapes without two hexadecimal digits, for NUL and for dot segments; `path` begins with a slash.
    static func check(_ bytes: borrowing Span<UInt8>, _ path: Range<Int>) -> Result<PathForm, Failure> {
        // Most paths have neither.
        if !bytes.contains(UInt8(ascii: "%"), or: UInt8(ascii: "."), in: path) { return .success(.plain) }
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
                guard index &+ 2 < path.upperBound, let high = bytes[index &+ 1].hexDigitValue,
                    let low = bytes[index &+ 2].hexDigitValue, high | low != 0
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
