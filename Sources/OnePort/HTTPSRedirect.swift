import HTTPKit
import NIOCore

extension App {
    /// Redirects requests without TLS, if TLS is spoken on another address. Requests over Unix sockets come from a proxy, and
    /// those of a trusted proxy have the scheme that it says.
    var redirectToHTTPS: Middleware {
        Middleware { [weak self] request, next in
            guard request.scheme == "http", request.remoteAddress?.ipAddress != nil,
                let port = self?.securePort
            else { return try await next(request) }
            return try request.redirectToHTTPS(port: port)
        }
    }

    /// The first port on which the running application speaks TLS.
    private var securePort: Int? { listening.first(where: \.usesTLS)?.address.port }
}

extension AppConfiguration {
    /// Responds to requests without TLS on an address that speaks TLS.
    package var plainHandler: Handler {
        let redirects = tls.redirectsHTTP
        let handler: Handler = { request in
            if redirects { return try request.redirectToHTTPS(port: nil) }
            return .text("This port speaks TLS: use https instead of http.\n", status: .badRequest)
        }
        return hosts.isEmpty ? handler : Middleware.compose([.hosts(hosts)], around: handler)
    }
}

extension Request {
    /// A redirect to the same resource with https.
    ///
    /// - Parameter port: The port there; `nil` if it is that of the request.
    /// - Throws: 400 if the request names no host.
    fileprivate func redirectToHTTPS(port: Int?) throws -> Response {
        guard let authority, let parsed = Origin.Authority(authority, defaultPort: nil) else {
            throw HTTPFailure(.badRequest, "a request that is redirected to https needs the field Host")
        }
        let suffix = (port ?? parsed.port).map { $0 == Origin.defaultPort("https") ? "" : ":\($0)" } ?? ""
        let resource = path == "*" ? "" : pathPrefix + path + (rawQuery.map { "?" + $0 } ?? "")
        return .redirect(to: "https://\(parsed.host)\(suffix)\(resource)", status: .permanentRedirect)
    }
}
