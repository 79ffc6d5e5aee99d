import HTTPTypes

extension Middleware {
    /// Sets fields that make pages safer where an answer does not set them itself: no sniffing of media types, no
    /// framing by others, no referrer to others, and a Content-Security-Policy (by default: this origin only).
    ///
    /// `connect-src 'self'` covers sockets of the page's own host too (CSP Level 3 §6.7.2.8). To let a page connect to
    /// another host, pass a policy that names it.
    public static func securityHeaders(
        contentSecurityPolicy: String? =
            "default-src 'self'; connect-src 'self'; frame-ancestors 'none'"
    ) -> Middleware {
        var fields: HTTPFields = [.xContentTypeOptions: "nosniff"]
        if let referrer = HTTPField.Name("Referrer-Policy") { fields[referrer] = "same-origin" }
        if let contentSecurityPolicy { fields[.contentSecurityPolicy] = contentSecurityPolicy }
        return adding(fields)
    }
}
