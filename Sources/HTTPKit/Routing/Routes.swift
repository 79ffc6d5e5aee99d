/// The routes of a server that uses HTTPKit alone.
///
/// ```swift
/// let routes = Routes()
/// routes.get("/hello/{name}") { request in .text("Hello, \(try request.parameters.require("name"))!") }
/// routes.files("Public")
/// let server = try HTTPServer(routes: routes)
/// try await server.run()
/// ```
public struct Routes: RouteBuilder {
    /// The group that holds all others.
    public let routes: RouteGroup
    /// What happens to a request whose path matches a route except for a trailing slash.
    public let trailingSlash: TrailingSlash

    /// Creates an empty set of routes.
    ///
    /// - Parameters:
    ///   - trailingSlash: What happens to a request whose path matches a route except for a trailing slash.
    ///   - folder: Finds the folder of a `files` declaration. By default, paths are relative to the working directory.
    public init(
        trailingSlash: TrailingSlash = .redirect, folder: @escaping @Sendable (String) -> String = { $0 }
    ) {
        routes = RouteGroup(table: RouteTable(folderPath: folder))
        self.trailingSlash = trailingSlash
    }
}
