package import HTTPTypes

/// Gathers routes at start-up and makes the trie of them.
package struct RouteTrieBuilder<Value> {
    private struct Branch: Sendable {
        var statics: [[UInt8]: Int] = [:]
        var parameter: Int?
        var table: Int?
        var restTable: Int?
    }

    private var branches = [Branch()]
    private var tables: [MethodTable] = []
    private var routes: [RouteTrie<Value>.Route] = []

    /// A builder without routes.
    package init() {}

    /// Adds a route.
    /// - Throws: `RouteConflict` when the same method has a pattern that differs in the names of its parameters at
    ///   most; the builder is then as it was.
    package mutating func insert(
        _ method: HTTPRequest.Method, _ pattern: PathPattern, _ value: Value
    ) throws(RouteConflict) {
        var branch = 0
        var endsInRest = false
        for segment in pattern.segments {
            switch segment {
            case .literal(let literal): branch = step(from: branch, literal: literal)
            case .parameter: branch = stepOverParameter(from: branch)
            case .rest: endsInRest = true
            }
        }
        let known = endsInRest ? branches[branch].restTable : branches[branch].table
        let table = known ?? tables.count
        if known == nil {
            tables.append(MethodTable())
            if endsInRest { branches[branch].restTable = table } else { branches[branch].table = table }
        }
        let place = tables[table].exact(MethodKey(method))
        if place >= 0 {
            throw RouteConflict(method: method, first: routes[Int(place)].pattern, second: pattern)
        }
        tables[table].set(method, to: Int32(routes.count))
        routes.append(RouteTrie<Value>.Route(pattern: pattern, value: value))
    }

    private mutating func step(from branch: Int, literal: [UInt8]) -> Int {
        if let known = branches[branch].statics[literal] { return known }
        branches.append(Branch())
        branches[branch].statics[literal] = branches.count - 1
        return branches.count - 1
    }

    private mutating func stepOverParameter(from branch: Int) -> Int {
        if let known = branches[branch].parameter { return known }
        branches.append(Branch())
        branches[branch].parameter = branches.count - 1
        return branches.count - 1
    }

    /// The trie of all routes so far.
    package func build() -> RouteTrie<Value> {
        var literals = StaticLiterals()
        let nodes = branches.map { branch in
            RouteIndex.Node(
                statics: literals.add(branch.statics.map { (literal: $0.key, child: Int32($0.value)) }),
                parameter: Int32(branch.parameter ?? -1), table: Int32(branch.table ?? -1),
                restTable: Int32(branch.restTable ?? -1))
        }
        return RouteTrie(
            index: RouteIndex(nodes: nodes, literals: literals, tables: tables), routes: routes)
    }
}

extension RouteTrieBuilder: Sendable where Value: Sendable {}

extension RouteTrie {
    /// The trie of the given routes, in any order.
    /// - Throws: `RouteConflict` when two of them match the same requests.
    package init(_ routes: some Sequence<(HTTPRequest.Method, PathPattern, Value)>) throws(RouteConflict) {
        var builder = RouteTrieBuilder<Value>()
        for (method, pattern, value) in routes { try builder.insert(method, pattern, value) }
        self = builder.build()
    }
}
