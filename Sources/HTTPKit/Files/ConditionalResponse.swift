import HTTPTypes

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension Response {
    /// This response, or what the request's preconditions make of it (RFC 9110 §13): 304 without a body when the client
    /// has this version, 412 when If-Match or If-Unmodified-Since fails.
    ///
    /// The validators are this response's ETag and Last-Modified. A response without either, one whose status is not
    /// 2xx, and one to another method than GET and HEAD stay as they are: for a method that changes something the
    /// preconditions must be checked before it acts, by `Request.checkPreconditions`.
    ///
    /// ```swift
    /// app.get("/rooms/{room}") { request in
    ///     let room = try await rooms.load(request.parameters.require("room"))
    ///     var response = try Response.json(room)
    ///     response.fields[.eTag] = "\"\(room.version)\""
    ///     return response.conditional(on: request)
    /// }
    /// ```
    public func conditional(on request: Request) -> Response {
        guard request.method == .get || request.method == .head, (200..<300).contains(status.code),
            upgrade == nil
        else { return self }
        let now = HTTPDate.now
        let validators = Validators(fields, now: now)
        guard validators.entityTag != nil || validators.lastModified != nil else { return self }
        switch validators.evaluate(RequestFieldLookup(request.fields), isSafe: true, now: now) {
        case .proceed: return self
        case .notModified: return withoutContent(.notModified)
        case .failed:
            var response = withoutContent(.preconditionFailed)
            response.fields[.contentType] = "text/plain; charset=utf-8"
            response.body = .string("the resource is not the version that the request asks for\n")
            return response
        }
    }

    /// The same fields but those that describe the body (RFC 9110 §8.3 to §8.6, §14.4): §15.4.5 wants those that tell
    /// caches, and cookies and policies belong to the response whatever it holds.
    private func withoutContent(_ status: HTTPResponse.Status) -> Response {
        var fields = fields
        for name in [
            HTTPField.Name.contentType, .contentEncoding, .contentLanguage, .contentLength, .contentRange,
            .contentDisposition, .acceptRanges,
        ] {
            fields[name] = nil
        }
        return Response(status: status, fields: fields)
    }
}

extension Request {
    /// Checks the preconditions of a request that changes something, before it does (RFC 9110 §13.2): If-Match,
    /// If-None-Match and If-Unmodified-Since against the current version of the resource.
    ///
    /// `nil` for both says that the resource does not exist yet: then `If-Match` fails, and `If-None-Match: *`, which
    /// asks to create and not to overwrite, passes.
    ///
    /// - Parameters:
    ///   - eTag: the resource's entity tag as a field value, quotes included.
    ///   - lastModified: when it was modified last.
    /// - Throws: `HTTPFailure` with 412.
    public func checkPreconditions(eTag: String? = nil, lastModified: HTTPDate? = nil) throws {
        let fields = RequestFieldLookup(fields)
        var scanner = FieldScanner(eTag ?? "")
        let validators = Validators(entityTag: scanner.entityTag(), lastModified: lastModified)
        let exists = eTag != nil || lastModified != nil
        let holds: Bool
        if exists {
            holds = validators.evaluate(fields, isSafe: false, now: .now) == .proceed
        } else {
            holds = fields.value(.ifMatch) == nil
        }
        if !holds {
            throw HTTPFailure(
                .preconditionFailed, "the resource is not the version that the request asks for")
        }
    }
}

extension Validators {
    /// The validators that a response's fields tell; what is malformed is none.
    fileprivate init(_ fields: HTTPFields, now: HTTPDate) {
        let tag = fields[.eTag].flatMap { text -> EntityTag? in
            var scanner = FieldScanner(text)
            guard let tag = scanner.entityTag(), scanner.isAtEnd else { return nil }
            return tag
        }
        self.init(
            entityTag: tag, lastModified: fields[.lastModified].flatMap { HTTPDate(parsing: $0, now: now) })
    }
}

extension HTTPDate {
    /// The present by the system's clock.
    static var now: HTTPDate { HTTPDate(secondsSinceEpoch: Int64(time(nil))) }
}
