public import HTTPTypes

/// The pages of other origins that may read answers, for `Middleware.cors`.
///
/// Credentials are cookies, the client's certificates and what the browser knows for HTTP authentication. They can be
/// allowed to origins that are named or decided on only: `*` together with credentials, which would let any page on the
/// web act for its visitors, cannot be said.
public enum CORSOrigins: Sendable {
    /// Pages from anywhere, without credentials: the answer is `*`, and the same for all.
    case any
    /// Pages of these origins, such as `https://app.example.org`. Case, default ports and one slash at the end do not
    /// matter. An entry that no browser sends, such as `null`, `file://` or one with a path, is an error when the
    /// application starts (`OriginListError`).
    case list([String], credentials: Bool = false)
    /// Pages of the origins for which it returns `true`. It is given the field as it was sent: compare the whole of it,
    /// for `https://example.org.evil.net` begins like a friend and `null` is any page that hides where it is from.
    case matching(credentials: Bool = false, @Sendable (_ origin: String) -> Bool)
}

extension Middleware {
    /// Cross-origin resource sharing (Fetch standard, "CORS protocol"): lets pages of other origins read answers.
    ///
    /// ```swift
    /// app.use(.cors(.list(["https://app.example.org"], credentials: true), exposedFields: [.eTag]))
    /// ```
    /// Preflights, OPTIONS with Origin and Access-Control-Request-Method, are answered 204 here; the handler does not
    /// see them. In a group it answers for the routes of that group. Put it before middleware that asks for
    /// credentials, which preflights never have.
    ///
    /// Nobody is refused: without the fields that it sets the browser keeps an answer from the page. Requests that
    /// browsers send without asking, such as a form's POST, are to be protected otherwise. An answer that has
    /// Access-Control-Allow-Origin already keeps its own; preflights are answered by the outermost policy. A change of
    /// protocol passes untouched: whose pages may open sockets is said by `WebSocketOptions`.
    ///
    /// - Parameters:
    ///   - origins: the pages that may read answers, and whether they may send credentials.
    ///   - methods: what they may ask for beside GET, HEAD and POST, which browsers always allow.
    ///   - requestFields: the fields that they may set beside those that browsers always allow; `nil` is all that a
    ///     preflight asks for.
    ///   - exposedFields: the fields of answers that they may read beside those that browsers always allow.
    ///   - maxAge: how long a browser may remember the answer to a preflight; `nil` leaves that to the browser, which
    ///     takes 5 seconds.
    public static func cors(
        _ origins: CORSOrigins, methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete],
        requestFields: [HTTPField.Name]? = [.contentType], exposedFields: [HTTPField.Name] = [],
        maxAge: Duration? = .seconds(600)
    ) -> Middleware {
        let policy = CORSPolicy(
            origins, methods: methods, requestFields: requestFields, exposedFields: exposedFields,
            maxAge: maxAge)
        var middleware = Middleware { request, next in
            if request.preflightMethod != nil {
                return Response(status: .noContent, fields: policy.preflightFields(for: request))
            }
            let fields = policy.fields(for: request)
            do {
                var response = try await next(request)
                CORSPolicy.add(fields, to: &response, of: request)
                return response
            } catch {
                request.addErrorFields(fields, unless: .accessControlAllowOrigin)
                throw error
            }
        }
        middleware.problem = policy.problem
        return middleware
    }
}

/// Who may read answers, with the values of fields made beforehand.
struct CORSPolicy: Sendable {
    /// Whether pages of an origin may read answers; `nil` when all may.
    private let isAllowed: (@Sendable (String) -> Bool)?
    private let allowsCredentials: Bool
    private let methods: String
    /// `nil` when all may be set that are asked for.
    private let requestFields: String?
    private let exposedFields: String
    private let maxAge: String?
    /// The first entry of its list that is not an origin.
    let problem: OriginListError?

    init(
        _ origins: CORSOrigins, methods: [HTTPRequest.Method], requestFields: [HTTPField.Name]?,
        exposedFields: [HTTPField.Name], maxAge: Duration?
    ) {
        switch origins {
        case .any: (isAllowed, allowsCredentials, problem) = (nil, false, nil)
        case .list(let list, let credentials):
            var known: [Origin] = []
            var problem: OriginListError?
            for text in list {
                do throws(OriginListError) {
                    known.append(try Origin(listed: text))
                } catch {
                    problem = problem ?? error
                }
            }
            self.problem = problem
            isAllowed = { [known] text in Origin(text).map { known.contains($0) } ?? false }
            allowsCredentials = credentials
        case .matching(let credentials, let matches):
            (isAllowed, allowsCredentials, problem) = (matches, credentials, nil)
        }
        self.methods = methods.map(\.rawValue).joined(separator: ", ")
        self.requestFields = requestFields.map { $0.map(\.rawName).joined(separator: ", ") }
        self.exposedFields = exposedFields.map(\.rawName).joined(separator: ", ")
        self.maxAge = maxAge.map { "\(max(0, $0.components.seconds))" }
    }

    /// What the answer to a preflight says.
    func preflightFields(for request: Request) -> HTTPFields {
        var fields: HTTPFields = [:]
        guard admit(request, in: &fields) else { return fields }
        if !methods.isEmpty { fields[.accessControlAllowMethods] = methods }
        if let requestFields {
            if !requestFields.isEmpty { fields[.accessControlAllowHeaders] = requestFields }
        } else {
            fields.addVary("Access-Control-Request-Headers")
            let asked = request.fields[.accessControlRequestHeaders]
            if let asked, Self.isList(asked) { fields[.accessControlAllowHeaders] = asked }
        }
        if let maxAge { fields[.accessControlMaxAge] = maxAge }
        return fields
    }

    /// What any other answer says.
    func fields(for request: Request) -> HTTPFields {
        var fields: HTTPFields = [:]
        if admit(request, in: &fields), !exposedFields.isEmpty {
            fields[.accessControlExposeHeaders] = exposedFields
        }
        return fields
    }

    /// Whether the request's page may read the answer. Where that depends on the page, all answers say so, those for
    /// no page too: a cache would give them to everybody.
    private func admit(_ request: Request, in fields: inout HTTPFields) -> Bool {
        guard let isAllowed else {
            fields[.accessControlAllowOrigin] = "*"
            return true
        }
        fields[.vary] = "Origin"
        let origins = request.fields[values: .origin]
        guard origins.count == 1, let origin = origins.first, isAllowed(origin) else { return false }
        fields[.accessControlAllowOrigin] = origin
        if allowsCredentials { fields[.accessControlAllowCredentials] = "true" }
        return true
    }

    /// Sets the fields, also of the error that a streamed response may turn out to be.
    static func add(_ fields: HTTPFields, to response: inout Response, of request: Request) {
        guard response.upgrade == nil else { return }
        let hasOwn = response.fields[.accessControlAllowOrigin] != nil
        ErrorFields(fields: fields, unless: .accessControlAllowOrigin).add(to: &response.fields)
        guard !hasOwn else { return }
        response.body = response.body.failing(with: fields, of: request, unless: .accessControlAllowOrigin)
    }

    private static func isList(_ value: String) -> Bool {
        value.utf8.allSatisfy { $0.isTokenCharacter || $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: " ") }
    }
}
