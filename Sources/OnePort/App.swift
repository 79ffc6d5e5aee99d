@_exported public import HTTPKit
@_exported public import HTTPTypes
public import Logging
import Synchronization
@_exported public import WSKit

@_exported public import struct NIOCore.ByteBuffer

/// An application: routes, files and sockets, declared together and served on one port.
///
/// ```swift
/// let app = App()
/// app.files("Public")
/// app.get("/hello/{name}") { request in .text("Hello, \(try request.parameters.require("name"))!") }
/// app.webSocket("/echo") { socket in
///     for try await message in socket.messages { try await socket.send(message) }
/// }
/// try await app.run()
/// ```
public final class App: Sendable {
    /// The settings, resolved from flags, then environment, then defaults.
    public let configuration: AppConfiguration
    /// Where the application and its server log.
    public let logger: Logger
    /// The rooms and topics of the application's sockets.
    public let rooms: Rooms
    /// What clients are held to; changed before `run`.
    public var limits: HTTPLimits {
        get { declarations.withLock { $0.limits } }
        set { declarations.withLock { $0.limits = newValue } }
    }
    /// The defaults of the application's sockets; changed before routes are declared.
    public var webSocketOptions: WebSocketOptions {
        get { declarations.withLock { $0.webSocketOptions } }
        set { declarations.withLock { $0.webSocketOptions = newValue } }
    }

    /// The top of the tree of routes.
    public let routes: RouteGroup
    let table = RouteTable()
    /// The pages below Templates, or why there are none.
    let templates: Result<Templates, TemplateError>
    private let declarations: Mutex<Declarations>
    let server = Mutex<HTTPServer?>(nil)

    struct Declarations {
        var limits: HTTPLimits
        var webSocketOptions = WebSocketOptions()
        var middleware: [Middleware] = []
        var fallbacks: [Handler] = []
        var problems: [any Error] = []
    }

    /// An application with the settings of the command line and the environment.
    ///
    /// `--help` prints all settings and ends the program with 0; a bad setting is named on standard error and ends
    /// it with 64.
    ///
    /// - Parameters:
    ///   - settings: settings of the application's own, shown by `--help` too.
    ///   - defaults: other defaults for settings, by name: `["max-body": "16MiB"]`.
    public convenience init(settings: [Setting] = [], defaults: [String: String] = [:]) {
        self.init(configuration: .load(extra: settings, defaults: defaults))
    }

    /// An application with settings from elsewhere, as tests use it.
    public init(configuration: AppConfiguration) {
        self.configuration = configuration
        var logger = Logger(label: "OnePort")
        logger.logLevel = configuration.logLevel
        self.logger = logger
        rooms = Rooms()
        routes = RouteGroup(table: table)
        let folder = configuration.path(of: "Templates")
        templates = Result { () throws(TemplateError) in
            try Templates(folder: folder, reload: configuration.environment == .development)
        }
        declarations = Mutex(Declarations(limits: configuration.limits))
    }

    // MARK: Declaring

    /// Puts `middleware` around everything the application answers, the first outermost.
    public func use(_ middleware: Middleware...) {
        declarations.withLock { $0.middleware += middleware }
    }

    /// Declares a route of GET, and so of HEAD.
    public func get(_ path: String, _ handler: @escaping Handler) { routes.get(path, handler) }
    /// Declares a route of POST.
    public func post(_ path: String, _ handler: @escaping Handler) { routes.post(path, handler) }
    /// Declares a route of PUT.
    public func put(_ path: String, _ handler: @escaping Handler) { routes.put(path, handler) }
    /// Declares a route of PATCH.
    public func patch(_ path: String, _ handler: @escaping Handler) { routes.patch(path, handler) }
    /// Declares a route of DELETE.
    public func delete(_ path: String, _ handler: @escaping Handler) { routes.delete(path, handler) }
    /// Declares a route of any method.
    public func on(_ method: HTTPRequest.Method, _ path: String, _ handler: @escaping Handler) {
        routes.on(method, path, handler)
    }

    /// The routes that `declare` adds stand below `prefix` and behind `middleware`.
    public func group(
        _ prefix: String = "", _ middleware: Middleware..., declare: (RouteGroup) throws -> Void
    ) rethrows {
        try declare(RouteGroup(table: table, prefix: prefix, middleware: middleware))
    }

    /// Serves the files of a folder, found from the `--root`. At `/`, routes go first and files answer what is left;
    /// `static`, `/static` and `/static/` are the same place.
    ///
    /// A folder that is not there is reported when the application starts, with the place that was looked at.
    public func files(
        _ folder: String, at path: String = "/", options: StaticFileOptions = StaticFileOptions()
    ) {
        do throws(StaticFilesError) {
            var options = options
            let segments = path.split(separator: "/")
            let isRoot = segments.isEmpty
            let path = "/" + segments.joined(separator: "/")
            options.mountPath = isRoot ? "" : path
            let files = try StaticFiles(root: configuration.path(of: folder), options: options)
            if isRoot {
                declarations.withLock { $0.fallbacks.append { request in files.respond(to: request) } }
            } else {
                let handler: Handler = { request in files.respond(to: request) }
                for pattern in [path, path + "/{path...}"] { routes.get(pattern, handler) }
            }
        } catch {
            declarations.withLock { $0.problems.append(error) }
        }
    }

    /// The router of all that was declared.
    ///
    /// - Throws: what was wrong with a declaration, naming it.
    func router() throws -> Router {
        let declared = declarations.withLock { $0 }
        if case .failure(let error) = templates {
            guard case .folderMissing = error else { throw error }
            logger.info("\(error)")
        }
        if let problem = declared.problems.first { throw problem }
        return try table.router(middleware: declared.middleware, fallback: declared.fallbacks.first)
    }
}

extension Request {
    /// The application that serves this request.
    var app: App? { connection.owner as? App }

    /// A page made of a template in Templates/ and what its tags name, as `text/html`.
    ///
    /// What `{{name}}` inserts is escaped.
    ///
    /// - Parameter context: a dictionary with `String` keys, or any value with properties of the tags' names.
    /// - Throws: `TemplateError` when there is no such template.
    public func render(
        _ template: String, _ context: Any = [String: String](), status: HTTPResponse.Status = .ok
    ) throws -> Response {
        guard let app else { throw HTTPFailure(.internalServerError, "this request has no application") }
        return .html(try app.templates.get().render(template, context), status: status)
    }
}
