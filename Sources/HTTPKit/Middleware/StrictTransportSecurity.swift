import HTTPTypes

extension Middleware {
    /// Tells browsers to use https for this host from now on, also where a link says http (HSTS, RFC 6797). Responses to
    /// requests without TLS do not have the field (§7.2).
    ///
    /// A browser remembers it for `maxAge`. Begin with a short time.
    ///
    /// - Parameters:
    ///   - maxAge: How long browsers remember it, in whole seconds.
    ///   - includesSubdomains: Whether it holds for all subdomains too.
    ///   - preload: Whether the host asks to be put into the lists that browsers ship.
    public static func strictTransportSecurity(
        maxAge: Duration = .seconds(31_536_000), includesSubdomains: Bool = false, preload: Bool = false
    ) -> Middleware {
        var value = "max-age=\(max(0, maxAge.components.seconds))"
        if includesSubdomains { value += "; includeSubDomains" }
        if preload { value += "; preload" }
        let adding = adding([.strictTransportSecurity: value])
        return Middleware { request, next in
            guard request.scheme == "https" else { return try await next(request) }
            return try await adding.handle(request, next)
        }
    }

    /// Adds fields to every response that does not have them itself, error responses too.
    static func adding(_ fields: HTTPFields) -> Middleware {
        Middleware { request, next in
            var response: Response
            do {
                response = try await next(request)
            } catch {
                request.addErrorFields(fields)
                throw error
            }
            guard response.upgrade == nil else { return response }
            response.body = response.body.failing(with: fields, of: request)
            for field in fields where response.fields[field.name] == nil { response.fields.append(field) }
            return response
        }
    }
}
