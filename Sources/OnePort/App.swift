@_exported public import HTTPKit
@_exported public import HTTPTypes
public import Logging
import Synchronization
@_exported public import WSKit

@_exported public import struct HTTP2Kit.HTTP2Limits
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
    /// The logger of the application and its server.
    public let logger: Logger
    /// The rooms and topics of the application's sockets.
    public let rooms: Rooms
    /// The limits for clients. Change them before `run`.
    public var limits: HTTPLimits {
        get { declarations.withLock { $0.limits } }
        set { declarations.withLock { $0.limits = newValue } }
    }
    /// What bounds what a client may ask of one HTTP/2 connection, beside `limits`. Change it before `run`.
    public var http2Limits: HTTP2Limits {
        get { declarations.withLock { $0.http2Limits } }
        set { declarations.withLock { $0.http2Limits = newValue } }
    }
    /// The options of sockets that are declared without options. Change them before `run`.
    public var webSocketOptions: WebSocketOptions {
        get { declarations.withLock { $0.webSocketOptions } }
        set { declarations.withLock { $0.webSocketOptions = newValue } }
    }

    /// What happens to a request whose path matches a route except for a trailing slash. Change it before `run`.
    /// By default, the request is redirected: `/todos/` to the route `/todos`, and the other way round.
    public var trailingSlash: TrailingSlash {
        get { declarations.withLock { $0.trailingSlash } }
        set { declarations.withLock { $0.trailingSlash = newValue } }
    }

    /// The root group. The declarations of the application are those of this group.
    public let routes: RouteGroup
    /// The templates in Templates/, or why they could not be loaded.
    let templates: Result<Templates, TemplateError>
    private let declarations: Mutex<Declarations>
    let server = Mutex<HTTPServer?>(nil)
    let security = Mutex<MakeSecurity?>(nil)
    let background = Mutex<[BackgroundWork]>([])
    /// What is measured, while the application runs.
    let metrics = Mutex<AppMetrics?>(nil)
    private let shutdownHasBegun = Atomic(false)

    struct Declarations {
        var limits: HTTPLimits
        var http2Limits = HTTP2Limits()
        var webSocketOptions = WebSocketOptions()
        var trailingSlash = TrailingSlash.redirect
    }

    /// Creates an application with the settings of the command line and the environment.
    ///
    /// `--help` prints all settings and exits with 0. An invalid setting prints an error to standard error and exits
    /// with 64.
    ///
    /// - Parameters:
    ///   - settings: The application's own settings, which `--help` lists too.
    ///   - defaults: Different defaults for settings, by name: `["max-body": "16MiB"]`.
    public convenience init(settings: [Setting] = [], defaults: [String: String] = [:]) {
        self.init(configuration: .load(extra: settings, defaults: defaults))
    }

    /// Creates an application with a configuration, for example in tests.
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

    /// Whether the application was told to shut down. It may still accept connections, for `--drain-delay`.
    var isShuttingDown: Bool {
        get { shutdownHasBegun.load(ordering: .relaxed) }
        set { shutdownHasBegun.store(newValue, ordering: .relaxed) }
    }

    /// The router with all declarations.
    ///
    /// - Throws: an error that names the first invalid declaration, or the error of the templates.
    func router() throws -> Router {
        if case .failure(let error) = templates {
            guard case .folderMissing = error else { throw error }
            logger.info("\(LogText.clean("\(error)"))")
        }
        try webSocketOptions.origin.check()
        // The outermost middleware: what counts every request, and before all others what responds to requests that are not
        // for this application.
        var outermost: [Middleware] = []
        if let metrics = metrics.withLock({ $0 }) { outermost.append(metrics.requests.middleware) }
        if !configuration.hosts.isEmpty { outermost.append(.hosts(configuration.hosts)) }
        if configuration.tls.redirectsHTTP { outermost.append(redirectToHTTPS) }
        return try routes.table.router(around: outermost, trailingSlash: trailingSlash)
    }
}

/// The application, among the values of each of its requests.
enum AppKey: RequestKey {
    typealias Value = App
}

extension Request {
    /// The application that serves this request.
    var app: App? { self[AppKey.self] }

    /// Renders a template in Templates/ as a `text/html` response.
    ///
    /// `{{name}}` inserts escaped text.
    ///
    /// - Parameter context: The values of the tags: a dictionary with `String` keys, or a value with properties of these
    ///   names.
    /// - Throws: `TemplateError` if there is no such template.
    public func render(
        _ template: String, _ context: Any = [String: String](), status: HTTPResponse.Status = .ok
    ) throws -> Response {
        guard let app else { throw HTTPFailure(.internalServerError, "this request has no application") }
        return .html(try app.templates.get().render(template, context), status: status)
    }
}
