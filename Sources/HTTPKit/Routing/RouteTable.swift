import HTTPTypes
package import Logging
import NIOCore
import Synchronization

/// What has been declared, in order.
package final class RouteTable: Sendable {
    private struct Route {
        let kind: RouteKind
        let path: String
        let handler: Handler
        let scope: RouteScope
    }

    private struct Declarations {
        var routes: [Route] = []
        var folders: [MountedFolder] = []
        var scopes: [RouteScope] = []
        var problems: [any Error] = []
        /// Told of what is declared although the server has started.
        var onLate: (@Sendable (String) -> Void)?
    }

    /// The group that holds all others; its middleware stands around every answer.
    let root = RouteScope()
    private let declarations = Mutex(Declarations())
    /// The absolute path of a folder, or one relative to the working directory.
    private let folderPath: @Sendable (String) -> String

    /// - Parameter folderPath: finds the folders of `files`.
    package init(folderPath: @escaping @Sendable (String) -> String = { $0 }) {
        self.folderPath = folderPath
    }

    func add(
        _ kind: RouteKind, _ path: String, _ handler: @escaping Handler, in scope: RouteScope
    ) {
        let path = scope.path(path)
        guard mayDeclare("\(kind) \(path)") else { return }
        let route = Route(kind: kind, path: path.isEmpty ? "/" : path, handler: handler, scope: scope)
        declarations.withLock { $0.routes.append(route) }
    }

    func add(folder: String, at path: String, _ options: StaticFileOptions, in scope: RouteScope) {
        guard mayDeclare("files of \(folder)") else { return }
        do {
            let folder = try MountedFolder(
                root: folderPath(folder), mount: scope.path(path), options, in: scope)
            declarations.withLock { $0.folders.append(folder) }
        } catch {
            declarations.withLock { $0.problems.append(error) }
        }
    }

    func scope(below parent: RouteScope, _ prefix: String, _ middleware: [Middleware]) -> RouteScope {
        let scope = RouteScope(parent: parent, prefix: prefix, middleware)
        declarations.withLock { $0.scopes.append(scope) }
        return scope
    }

    /// Takes no more declarations, since the server has its routes. One that comes all the same stops a debug build, and is
    /// logged as an error in a release build.
    package func seal(logger: Logger) {
        seal { declaration in
            logger.error(
                "a declaration after the start is not served", metadata: ["declared": "\(declaration)"])
            assertionFailure("\(declaration) is declared after the server has been created")
        }
    }

    /// Takes no more declarations: `onLate` is told of those that come all the same.
    func seal(onLate: @escaping @Sendable (String) -> Void) {
        declarations.withLock { $0.onLate = onLate }
    }

    /// Whether declarations are still taken. One that comes too late is reported.
    func mayDeclare(_ what: String) -> Bool {
        guard let onLate = declarations.withLock({ $0.onLate }) else { return true }
        onLate(what)
        return false
    }

    /// Notes a mistake in a declaration; `router` throws the first of them.
    package func report(_ problem: any Error) { declarations.withLock { $0.problems.append(problem) } }

    /// The router of everything that was declared.
    ///
    /// - Parameter outermost: middleware around that of the application.
    /// - Throws: `PathPatternError`, `RouteConflict`, `StaticFilesError` or `OriginListError`, which name what is wrong.
    package func router(
        around outermost: [Middleware] = [], trailingSlash: TrailingSlash = .redirect
    ) throws -> Router {
        let declared = declarations.withLock { $0 }
        let outer = outermost + root.own
        let layers = outer + declared.scopes.flatMap(\.own)
        if let problem = declared.problems.first ?? layers.compactMap(\.problem).first { throw problem }
        let cover = try GroupCover(declared.scopes)
        var builder = RouteTrieBuilder<Endpoint>()
        var methods: Set<HTTPRequest.Method> = [
            .get, .head, .post, .put, .delete, .connect, .options, .trace, .patch,
        ]
        for (method, pattern, endpoint) in try Self.endpoints(declared.routes, behind: outer) {
            try builder.insert(method, pattern, endpoint)
            methods.insert(method)
        }
        for mount in Self.mounts(declared.folders) {
            let folders = FolderStack(declared.folders.filter { $0.mount.covers(mount) }, cover)
            let handler = Middleware.compose(outer) { request in try await folders.respond(to: request) }
            let layers = folders.layers(of: mount)
            let endpoint = Endpoint(
                handler: handler, inner: layers.flatMap(\.middleware),
                errorHandlers: layers.reversed().flatMap(\.errorHandlers))
            for pattern in [mount, try mount.appending(PathPattern("/{path...}"))] {
                try builder.insert(.get, pattern, endpoint)
            }
        }
        let atRoot = FolderStack(declared.folders.filter { $0.mount == .root }, cover)
        let trie = builder.build()
        let unrouted = Unrouted(
            trie: trie, cover: cover, methods: methods, trailingSlash: trailingSlash, folders: atRoot)
        return Router(
            trie: trie, cover: cover,
            hasErrorHandlers: ([root] + declared.scopes).contains { !$0.errorHandlers.isEmpty },
            outerErrorHandlers: root.errorHandlers,
            unrouted: Middleware.compose(outer) { try await unrouted.respond(to: $0) })
    }

    /// The routes by method and pattern. Upgrades become routes of GET and CONNECT.
    private static func endpoints(
        _ routes: [Route], behind outer: [Middleware]
    ) throws -> [(HTTPRequest.Method, PathPattern, Endpoint)] {
        var endpoints: [(HTTPRequest.Method, PathPattern, Endpoint)] = []
        var pages: [(PathPattern, Endpoint)] = []
        var upgrades: [UpgradeRoutes] = []
        var places: [[PathPattern.Segment]: Int] = [:]
        for route in routes {
            let pattern = try PathPattern(route.path)
            let inner = route.scope.chain.flatMap(\.own)
            let endpoint = Endpoint(
                handler: Middleware.compose(outer + inner, around: route.handler), inner: inner,
                errorHandlers: route.scope.chain.reversed().flatMap(\.errorHandlers))
            switch route.kind {
            case .method(.get): pages.append((pattern, endpoint))
            case .method(let method): endpoints.append((method, pattern, endpoint))
            case .upgrade(let name):
                if let place = places[pattern.shape] {
                    try upgrades[place].add(name, at: pattern, endpoint)
                } else {
                    places[pattern.shape] = upgrades.count
                    upgrades.append(UpgradeRoutes(name, at: pattern, endpoint))
                }
            }
        }
        for (pattern, page) in pages {
            if let place = places[pattern.shape] {
                try upgrades[place].add(page: page, at: pattern)
            } else {
                endpoints.append((.get, pattern, page))
            }
        }
        for upgrade in upgrades {
            endpoints.append((.get, upgrade.pattern, upgrade.get))
            endpoints.append((.connect, upgrade.pattern, upgrade.connect))
        }
        return endpoints
    }

    /// The places of folders below `/`, each once.
    private static func mounts(_ folders: [MountedFolder]) -> [PathPattern] {
        var mounts: [PathPattern] = []
        for folder in folders where folder.mount != .root && !mounts.contains(folder.mount) {
            mounts.append(folder.mount)
        }
        return mounts
    }
}

/// What a route leads to. A function by itself would be wrapped anew wherever it passes through a generic type, and
/// each call would pay for every wrapper.
struct Endpoint: Sendable {
    /// The handler with all middleware around it.
    let handler: Handler
    /// The middleware of its groups alone.
    let inner: [Middleware]
    /// The error handlers of its groups, the innermost first.
    let errorHandlers: [ErrorHandler]
    /// The protocols that this endpoint can change to, each with an endpoint of its own.
    var upgrades: [(name: String, endpoint: Endpoint)] = []

    /// The endpoint that takes the request: that of the protocol it asks for, else this one.
    func choice(for request: Request) -> Endpoint {
        upgrades.first { request.asksForUpgrade(to: $0.name) }?.endpoint ?? self
    }
}

/// Finds the handler of a request.
package final class Router: Sendable {
    let trie: RouteTrie<Endpoint>
    /// Answers what has no route.
    let unrouted: Handler
    let cover: GroupCover
    /// Whether anything has error handlers.
    let hasErrorHandlers: Bool
    /// Those of the application.
    let outerErrorHandlers: [ErrorHandler]

    init(
        trie: RouteTrie<Endpoint>, cover: GroupCover, hasErrorHandlers: Bool,
        outerErrorHandlers: [ErrorHandler], unrouted: @escaping Handler
    ) {
        self.trie = trie
        self.cover = cover
        self.hasErrorHandlers = hasErrorHandlers
        self.outerErrorHandlers = outerErrorHandlers
        self.unrouted = unrouted
    }

    /// The handler that answers the request, middleware around it; the request learns its route, in place, so it must be
    /// one that no middleware has seen yet.
    ///
    /// A lookup waits for nothing, so it is done before the handler's asynchronous call, and costs none of its own.
    package func handler(for request: Request) -> Handler {
        var ranges = ParameterRanges()
        let storage = request.storage
        guard let place = trie.place(of: storage.head, method: storage.head.method, &ranges) else {
            return unrouted
        }
        // No copy of the route: it would count a reference to all that the route holds.
        storage.beginRoute(trie.routes[place].pattern, ranges)
        return trie.routes[place].value.handler
    }
}
