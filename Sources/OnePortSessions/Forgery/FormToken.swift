public import HTTPKit

/// Form tokens: the second protection against forged requests, for forms whose effect is worth it.
extension Session {
    /// The token for the forms of a page: `<input type="hidden" name="csrf" value="{{csrf}}">`.
    ///
    /// It differs each time, so that compression does not reveal it (BREACH), and is valid until the user signs in or out.
    public var csrfToken: String {
        let secret: [UInt8]
        if let known = csrfSecret {
            secret = known
        } else {
            secret = Token.randomBytes(FormToken.length)
            setText(Base64URL.encode(secret), CSRFSecret.name)
        }
        return FormToken.mask(secret)
    }

    /// Checks the token of a form.
    ///
    /// - Throws: `CSRFError.token`, answered 403.
    public func checkCSRFToken(_ token: String?) throws(CSRFError) {
        guard let token, let secret = csrfSecret, let sent = FormToken.unmask(token),
            Token.equal(Base64URL.encode(sent), Base64URL.encode(secret))
        else { throw .token }
    }

    private var csrfSecret: [UInt8]? {
        guard let text = text(CSRFSecret.name), let secret = Base64URL.decode(text),
            secret.count == FormToken.length
        else { return nil }
        return Array(secret)
    }
}

extension Request {
    /// The token for the forms of a page: `try request.render("form", ["csrf": request.csrfToken])`.
    ///
    /// - Throws: `SessionError.notConfigured` without the middleware `.sessions`.
    public var csrfToken: String { get throws { try session.csrfToken } }

    /// An urlencoded form whose field `csrf` is the session's token.
    ///
    /// - Throws: `CSRFError.token` (403), and what `form(upTo:)` throws.
    public func protectedForm() async throws -> NameValueList {
        let form = try await form()
        try session.checkCSRFToken(form["csrf"])
        return form
    }
}

/// A secret, hidden behind as many random bytes.
enum FormToken {
    static let length = 32

    static func mask(_ secret: [UInt8]) -> String {
        let pad = Token.randomBytes(secret.count)
        return Base64URL.encode(pad + zip(pad, secret).map { $0 ^ $1 })
    }

    static func unmask(_ token: String) -> [UInt8]? {
        guard token.utf8.count <= length * 3, let bytes = Base64URL.decode(token), bytes.count == 2 * length
        else { return nil }
        return zip(bytes.prefix(length), bytes.suffix(length)).map { $0 ^ $1 }
    }
}
