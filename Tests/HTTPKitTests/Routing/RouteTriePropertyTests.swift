import HTTPKit
import HTTPTypes
import Testing

/// A matcher that is slow and plain: every route is tried, the matches are ranked.
struct ReferenceRouter {
    let routes: [TestRoute]

    func answer(_ method: HTTPRequest.Method, _ path: String) -> RouteAnswer {
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(
            String.init)
        let matches = routes.compactMap { route in
            match(route.1, segments).map { (route: route, parameters: $0, ranks: ranks(route.1)) }
        }
        let wanted: [HTTPRequest.Method] = method == .head ? [.head, .get] : [method]
        let best = matches.filter { wanted.contains($0.route.0) }.min { one, other in
            if one.ranks != other.ranks { return one.ranks.lexicographicallyPrecedes(other.ranks) }
            return one.route.0 == .head && other.route.0 != .head
        }
        if let best { return .found(best.route.2, best.parameters) }
        if matches.isEmpty { return .notFound }
        var allowed = Set(matches.map(\.route.0))
        if allowed.contains(.get) { allowed.insert(.head) }
        let order: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options]
        return .methodNotAllowed(order.filter(allowed.contains))
    }

    private func pieces(_ pattern: PathPattern) -> [String] {
        pattern.text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    }

    private func ranks(_ pattern: PathPattern) -> [Int] {
        pieces(pattern).map { $0.hasSuffix("...}") ? 2 : $0.hasPrefix("{") ? 1 : 0 }
    }

    private func match(_ pattern: PathPattern, _ segments: [String]) -> [String]? {
        var parameters: [String] = []
        let pieces = pieces(pattern)
        for (index, piece) in pieces.enumerated() {
            guard index < segments.count else { return nil }
            if piece.hasSuffix("...}") {
                return parameters + [segments[index...].joined(separator: "/")]
            } else if piece.hasPrefix("{") {
                if segments[index].isEmpty { return nil }
                parameters.append(segments[index])
            } else if piece != segments[index] {
                return nil
            }
        }
        return pieces.count == segments.count ? parameters : nil
    }
}

@Suite("Route lookup, properties")
struct RouteTriePropertyTests {
    @Test("the order of declaration is without effect: all 5,040 orders")
    func permutations() throws {
        let routes = try testRoutes([
            "GET /a/b", "POST /a/{x}", "GET /{x}/b", "GET /{x}/{y}", "GET /a/{r...}", "GET /{r...}",
            "PUT /a/b/",
        ])
        let requests: [(HTTPRequest.Method, String)] = [
            (.get, "/a/b"), (.post, "/a/b"), (.get, "/a/c"), (.get, "/c/b"), (.get, "/c/d"), (.get, "/a/b/"),
            (.get, "/a/b/c"), (.put, "/a/b"), (.get, "/"), (.delete, "/a/b"), (.head, "/c/d/e"),
        ]
        let reference = ReferenceRouter(routes: routes)
        let expected = requests.map { reference.answer($0.0, $0.1) }
        var orders = 0
        try forEachPermutation(of: routes) { order in
            let trie = try RouteTrie(order)
            orders += 1
            let answers = requests.map { trie.answer($0.0, $0.1) }
            if answers != expected { Issue.record("order \(order.map(\.2)): \(answers)") }
        }
        #expect(orders == 5040)
    }

    private func forEachPermutation(of routes: [TestRoute], _ body: ([TestRoute]) throws -> Void) rethrows {
        var order = routes
        func permute(_ count: Int) throws {
            if count == 1 { return try body(order) }
            for index in 0..<count {
                try permute(count - 1)
                order.swapAt(count % 2 == 0 ? index : 0, count - 1)
            }
        }
        try permute(order.count)
    }

    @Test("random routes and paths agree with the plain matcher", arguments: 1...40)
    func random(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let words = ["a", "b", "ab", "abc", "x.y", "~", "c", "d", "e", "f", "g", "h"]
        let methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options]
        var texts: Set<String> = []
        for _ in 0..<Int.random(in: 1...60, using: &generator) {
            var text = ""
            let depth = Int.random(in: 1...6, using: &generator)
            for level in 0..<depth {
                switch Int.random(in: 0..<10, using: &generator) {
                case 0 where level == depth - 1: text += "/{r...}"
                case 1 where level == depth - 1: text += "/"
                case 0...3: text += "/{p\(level)}"
                default: text += "/" + (words.randomElement(using: &generator) ?? "a")
                }
            }
            texts.insert("\(methods.randomElement(using: &generator) ?? .get) \(text)")
        }
        // A set has an order of its own in each run; sorted, a seed means the same routes every time.
        let routes = try testRoutes(texts.sorted().shuffled(using: &generator))
        let trie = try RouteTrie(routes)
        let reference = ReferenceRouter(routes: routes)
        for _ in 0..<500 {
            var path = ""
            for _ in 0..<Int.random(in: 1...7, using: &generator) {
                path += "/" + ((words + ["", "zz"]).randomElement(using: &generator) ?? "")
            }
            let method = methods.randomElement(using: &generator) ?? .get
            #expect(
                trie.answer(method, path) == reference.answer(method, path), "seed \(seed): \(method) \(path)"
            )
        }
    }

    @Test(
        "random octets after the slash never trap, and are 400 exactly when an escape is bad or NUL",
        arguments: 1...10)
    func randomOctets(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed) &* 7919)
        let trie = try RouteTrie(testRoutes(["GET /{a}/{b}", "GET /x/{r...}", "GET /y"]))
        let alphabet = Array("%/.2eE0aFx~")
        for _ in 0..<2000 {
            let path = "/" + String((0..<12).compactMap { _ in alphabet.randomElement(using: &generator) })
            let bad = path.split(separator: "%", omittingEmptySubsequences: false).dropFirst().contains {
                piece in
                piece.prefix(2).count < 2 || !piece.prefix(2).allSatisfy(\.isHexDigit)
                    || piece.hasPrefix("00")
            }
            let answer = trie.answer(.get, path)
            #expect((answer == .badEncoding) == bad, "\(path)")
            if !bad { #expect((answer == .dotSegment) == DotSegments.contains(path), "\(path)") }
        }
    }
}
