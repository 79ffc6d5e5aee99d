import Synchronization

/// A group as it was declared: its prefix, its middleware and the group around it.
final class RouteScope: Sendable {
    let parent: RouteScope?
    /// The prefixes of all groups around this one, and its own.
    let prefix: String
    /// Whether the group has a prefix of its own: only then its middleware runs for paths that no route takes.
    let hasOwnPrefix: Bool
    private let middleware: Mutex<[Middleware]>
    private let handlers = Mutex<[ErrorHandler]>([])

    init(parent: RouteScope? = nil, prefix: String = "", _ middleware: [Middleware] = []) {
        self.parent = parent
        self.prefix = PathPattern.join(parent?.prefix ?? "", prefix)
        hasOwnPrefix = prefix.utf8.contains { $0 != UInt8(ascii: "/") }
        self.middleware = Mutex(middleware)
    }

    func use(_ more: [Middleware]) { middleware.withLock { $0 += more } }

    func add(_ handler: ErrorHandler) { handlers.withLock { $0.append(handler) } }

    /// The error handlers of this group alone.
    var errorHandlers: [ErrorHandler] { handlers.withLock { $0 } }

    /// The path of a route of this group.
    func path(_ path: String) -> String { PathPattern.join(prefix, path) }

    /// The middleware of this group alone.
    var own: [Middleware] { middleware.withLock { $0 } }

    /// This group and those around it, the outermost first; without the one that holds all.
    var chain: [RouteScope] {
        guard let parent else { return [] }
        return parent.chain + [self]
    }
}

/// The middleware of groups for a path that no route takes.
struct GroupCover: Sendable {
    /// The middleware of one group.
    struct Layer: Sendable {
        let scope: ObjectIdentifier
        let middleware: [Middleware]
        let errorHandlers: [ErrorHandler]
    }

    /// The shortest prefix first, and those of one length in the order of their declaration.
    private let entries: [(prefix: [PathPattern.Segment], layers: [Layer])]

    /// - Throws: `PathPatternError` when a prefix is no pattern.
    init(_ scopes: [RouteScope]) throws(PathPatternError) {
        var entries: [(prefix: [PathPattern.Segment], layers: [Layer])] = []
        for scope in scopes where scope.hasOwnPrefix {
            var segments = try PathPattern(scope.prefix).segments
            if segments.last == .literal([]) { segments.removeLast() }
            let layers = Self.layers(of: scope)
            if !layers.isEmpty { entries.append((segments, layers)) }
        }
        let order = entries.indices.sorted { (entries[$0].prefix.count, $0) < (entries[$1].prefix.count, $1) }
        self.entries = order.map { entries[$0] }
    }

    /// The layers of a group and of those around it, the outermost first.
    static func layers(of scope: RouteScope) -> [Layer] {
        scope.chain.map { scope in
            Layer(
                scope: ObjectIdentifier(scope), middleware: scope.own, errorHandlers: scope.errorHandlers)
        }.filter { !$0.middleware.isEmpty || !$0.errorHandlers.isEmpty }
    }

    /// The layers of all groups whose prefix the path is or begins with, each once.
    ///
    /// - Parameter path: the raw path, whose escapes are valid. Its segments are decoded once, as routes do it.
    func layers(_ bytes: borrowing Span<UInt8>, _ path: Range<Int>) -> [Layer] {
        var result: [Layer] = []
        for entry in entries where Self.matches(entry.prefix, bytes, path) {
            for layer in entry.layers where !result.contains(where: { $0.scope == layer.scope }) {
                result.append(layer)
            }
        }
        return result
    }

    private static func matches(
        _ prefix: [PathPattern.Segment], _ bytes: borrowing Span<UInt8>, _ path: Range<Int>
    ) -> Bool {
        var start = path.lowerBound
        for segment in prefix {
            guard start < path.upperBound, bytes[start] == UInt8(ascii: "/") else { return false }
            start += 1
            let end = bytes.firstIndex(of: UInt8(ascii: "/"), in: start..<path.upperBound)
            switch segment {
            case .literal(let literal):
                guard let decoded = try? PercentCoding.decode(bytes.extracting(start..<end)),
                    decoded == literal
                else { return false }
            case .parameter:
                if start == end { return false }
            case .rest:
                return true
            }
            start = end
        }
        return true
    }
}
