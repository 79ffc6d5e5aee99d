public import HTTPKit
import HTTPTypes
import WSKit

extension Middleware {
    /// Sends browsers to the page where they can sign in, instead of a 401: those whose GET accepts `text/html`. The page
    /// finds the way back in its query, `next`; read it with `request.nextPage`.
    ///
    /// Other clients, and sockets, get the 401. Put it around the middleware that authenticates.
    public static func signInPage(_ path: String) -> Middleware {
        Middleware { request, next in
            do {
                return try await next(request)
            } catch let error as Unauthenticated {
                guard request.method == .get, !request.isWebSocketRequest, request.path != path,
                    Negotiation.acceptsPages(request.fields[.accept])
                else { throw error }
                let back = PercentCoding.encode(request.target, allowed: .form)
                var response = Response.redirect(
                    to: "\(request.pathPrefix)\(path)?next=\(back)", status: .seeOther)
                response.fields[.cacheControl] = "no-store"
                response.fields.addVary("Accept")
                return response
            }
        }
    }
}

extension Negotiation {
    /// Whether a client names pages among what it accepts. `*/*` alone, which tools send, is no such wish.
    fileprivate static func acceptsPages(_ accept: String?) -> Bool {
        guard let accept else { return false }
        return QualityValues.parse(accept).contains { $0.value == "text/html" && $0.quality > 0 }
    }
}

extension Request {
    /// Where to go after signing in: the query's `next` if it is a path of this application, otherwise `fallback`.
    ///
    /// Anything that could lead to another host is ignored: what does not begin with one slash, and backslashes and control
    /// characters, which browsers read as slashes or skip.
    public func nextPage(_ fallback: String = "/") -> String {
        guard let next = try? query["next"], next.utf8.first == UInt8(ascii: "/"), !next.hasPrefix("//"),
            !next.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "\\") })
        else { return fallback }
        return next
    }
}
