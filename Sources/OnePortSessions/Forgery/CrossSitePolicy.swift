public import HTTPKit
import HTTPTypes

/// Decides by the fields that only browsers set whether a page of another site has sent a request (Fetch Metadata,
/// RFC 6454).
struct CrossSitePolicy: Sendable {
    private static let secFetchSite = HTTPField.Name("Sec-Fetch-Site")
    /// Methods that change nothing (RFC 9110 §9.2.1). Extended CONNECT opens sockets, which have an `OriginPolicy`.
    private static let harmless: Set<HTTPRequest.Method> = [.get, .head, .options, .trace, .connect]

    private let trusted: [Origin]
    /// The first entry of the list that is not an origin.
    let problem: OriginListError?

    init(_ origins: [String]) {
        var trusted: [Origin] = []
        var problem: OriginListError?
        for text in origins {
            do throws(OriginListError) {
                trusted.append(try Origin(listed: text))
            } catch {
                problem = problem ?? error
            }
        }
        self.trusted = trusted
        self.problem = problem
    }

    /// - Throws: `CSRFError.otherSite`.
    func check(_ request: Request) throws(CSRFError) {
        guard !Self.harmless.contains(request.method) else { return }
        let origins = request.fields[values: .origin]
        let origin = origins.count == 1 ? Origin(origins[0]) : nil
        if let origin, trusted.contains(origin) { return }
        let sites = Self.secFetchSite.map { request.fields[values: $0] } ?? []
        if !sites.isEmpty {
            // `none` is a request of the user's own, such as from the address bar.
            guard sites == ["same-origin"] || sites == ["none"] else {
                throw .otherSite(sites.joined(separator: ", "))
            }
            return
        }
        // Old browsers send Origin only. Without it, the client is no browser: nobody can have misled it.
        guard let first = origins.first else { return }
        guard let origin, origin.scheme == request.scheme, let authority = request.authority,
            Origin.Authority(authority, defaultPort: origin.defaultPort) == origin.authority
        else { throw .otherSite(first) }
    }
}

extension Middleware {
    /// Rejects requests that a page of another site makes a browser send (CSRF) with 403: those with a method other than
    /// GET, HEAD, OPTIONS and TRACE whose Sec-Fetch-Site is neither `same-origin` nor `none`. If a browser does not send
    /// it, Origin must have the scheme, host and port of the request.
    ///
    /// Clients that are no browsers send neither field and pass. Handlers of GET must not change anything. Sockets have
    /// `WebSocketOptions.origin`.
    ///
    /// - Parameter trustedOrigins: other origins whose pages may send requests, such as `https://admin.example.org`.
    public static func csrfProtection(trustedOrigins: [String] = []) -> Middleware {
        let policy = CrossSitePolicy(trustedOrigins)
        var middleware = Middleware { request, next in
            try policy.check(request)
            return try await next(request)
        }
        middleware.problem = policy.problem
        return middleware
    }
}
