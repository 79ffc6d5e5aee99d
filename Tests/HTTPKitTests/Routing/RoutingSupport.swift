import HTTPKit
import HTTPTypes
import NIOCore

/// What a lookup says, in a form that can be compared.
enum RouteAnswer: Equatable {
    case found(String, [String])
    case methodNotAllowed([HTTPRequest.Method])
    case notFound, badEncoding, dotSegment
}

typealias TestRoute = (HTTPRequest.Method, PathPattern, String)

/// Routes written as `"GET /a/{x}"`, whose value is that text.
func testRoutes(_ texts: [String]) throws -> [TestRoute] {
    try texts.map { text in
        let parts = text.split(separator: " ", maxSplits: 1)
        let method = try known(HTTPRequest.Method(String(parts[0])))
        return (method, try PathPattern(String(parts[1])), text)
    }
}

private struct NoValue: Error {}

private func known<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw NoValue() }
    return value
}

extension RouteTrie<String> {
    /// Looks up a path that stands in the middle of other octets, as in a request.
    func answer(_ method: HTTPRequest.Method, _ path: String) -> RouteAnswer {
        var head = ByteBuffer(string: "skipped \(method) \(path) HTTP/1.1\r\n")
        head.moveReaderIndex(forwardBy: 8)
        let start = method.rawValue.utf8.count + 1
        switch lookup(method, in: head, path: start..<start + path.utf8.count) {
        case .found(let value, let parameters):
            return .found(
                value,
                parameters.names.map { name in
                    parameters.raw(name).flatMap { try? PercentCoding.decodeString($0) } ?? "not UTF-8"
                })
        case .methodNotAllowed(let allowed): return .methodNotAllowed(allowed)
        case .notFound: return .notFound
        case .badEncoding: return .badEncoding
        case .dotSegment: return .dotSegment
        }
    }
}
