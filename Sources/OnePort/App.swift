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
public final class App: RouteBuilder {
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
    /// The options of sockets that are declared without options of their own; changed before `run`.
    public var webSocketOptions: WebSocketOptions {
        get { declarations.withLock { $0.webSocketOptions } }
        set { declarations.withLock { $0.webSocketOptions = newValue } }
    }

    /// What becomes of a request whose path differs from that of a route by a slash at its end only; changed before `run`.
    /// By default it is redirected: `/todos/` to `/todos` where that is a route, and the other way round.
    public var trailingSlash: TrailingSlash {
        get { declarations.withLock { $0.trailingSlash } }
        set { declarations.withLock { $0.trailingSlash = newValue } }
    }

    /// The group that holds all others: what is declared on the application is declared here.
    public let routes: RouteGroup
    /// The pages below Templates, or why there are none.
    let templates: Result<Templates, TemplateError>
    private let declarations: Mutex<Declarations>
    let server = Mutex<HTTPServer?>(nil)

    struct Declarations {
        var limits: HTTPLimits
        var webSocketOptions = WebSocketOptions()
        var trailingSlash = TrailingSlash.redirect
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
        routes = RouteGroup(table: RouteTable { configuration.path(of: $0) })
        let folder = configuration.path(of: "Templates")
        templates = Result { () throws(TemplateError) in
            try Templates(folder: folder, reload: configuration.environment == .development)
        }
        declarations = Mutex(Declarations(limits: configuration.limits))
    }

    /// The router of all that was declared.
    ///
    /// - Throws: what was wrong with a declaration, naming it.
    func router() throws -> Router {
        if case .failure(let error) = templates {
            guard case .folderMissing = error else { throw error }
            logger.info("\(LogText.clean("\(error)"))")
        }
        try webSocketOptions.origin.check()
        // Outermost, so that no middleware answers a page that reached the application by another name.
        let hosts: [Middleware] = configuration.hosts.isEmpty ? [] : [.hosts(configuration.hosts)]
        return try routes.table.router(around: hosts, trailingSlash: trailingSlash)
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
