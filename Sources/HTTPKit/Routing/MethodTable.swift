import HTTPTypes

/// The values that one pattern has, by method (RFC 9110 §9).
struct MethodTable: Sendable {
    /// The methods that have a place of their own, in the order of an Allow field.
    static let common: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options]

    /// Where in the trie's routes the value stands; -1 when there is none.
    private var places: InlineArray<7, Int32> = InlineArray(repeating: -1)
    private var others: [(method: HTTPRequest.Method, place: Int32)] = []

    /// Whether the table has a value for anything.
    var isEmpty: Bool { others.isEmpty && places.indices.allSatisfy { places[$0] < 0 } }

    /// The place of the value for the method itself.
    func exact(_ method: MethodKey) -> Int32 {
        switch method {
        case .common(let index): places[index]
        case .other(let method): others.first { $0.method == method }?.place ?? -1
        }
    }

    /// The place of the value that answers the method: HEAD is answered by GET's (RFC 9110 §9.3.2).
    @inline(__always)
    func place(for method: MethodKey) -> Int32 {
        guard case .common(let index) = method else { return exact(method) }
        return index == 1 && places[1] < 0 ? places[0] : places[index]
    }

    mutating func set(_ method: HTTPRequest.Method, to place: Int32) {
        switch MethodKey(method) {
        case .common(let index): places[index] = place
        case .other(let method): others.append((method, place))
        }
    }

    /// Adds the methods that this table answers. CONNECT stands for the path's upgrades, and only with a protocol
    /// (RFC 8441), so an Allow field does not list it.
    func collect(into allowed: inout [HTTPRequest.Method]) {
        for (index, method) in Self.common.enumerated() {
            if place(for: .common(index)) >= 0, !allowed.contains(method) { allowed.append(method) }
        }
        for (method, _) in others where method != .connect && !allowed.contains(method) {
            allowed.append(method)
        }
    }

    /// Puts the methods of an Allow field (RFC 9110 §10.2.1) in one order, whatever order they were found in.
    static func sort(_ allowed: inout [HTTPRequest.Method]) {
        func rank(_ method: HTTPRequest.Method) -> Int { common.firstIndex(of: method) ?? common.count }
        allowed.sort { (rank($0), $0.rawValue) < (rank($1), $1.rawValue) }
    }
}

/// A method as the tables look it up: found once per request, not once per table.
enum MethodKey {
    case common(Int)
    case other(HTTPRequest.Method)

    @inline(__always)
    init(_ method: HTTPRequest.Method) {
        switch method.rawValue {
        case "GET": self = .common(0)
        case "HEAD": self = .common(1)
        case "POST": self = .common(2)
        case "PUT": self = .common(3)
        case "PATCH": self = .common(4)
        case "DELETE": self = .common(5)
        case "OPTIONS": self = .common(6)
        default: self = .other(method)
        }
    }
}
