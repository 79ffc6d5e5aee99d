package import HTTPTypes

/// `request-line = method SP request-target SP HTTP-version` (RFC 9112 §3), as offsets.
struct RequestLine {
    var method: HTTPRequest.Method
    var target: Range<Int>
    var minorVersion: Int
    /// Where the field lines begin.
    var end: Int

    /// The limits of the line by themselves: `HTTPLimits` would be copied for each request, and kept by each connection.
    struct Limits: Sendable {
        let target: Int
        let method: Int

        init(_ limits: HTTPLimits) {
            target = limits.maxTargetLength
            method = limits.maxMethodLength
        }
    }

    /// Reads the line at `start`; `nil` when it is not whole yet.
    static func parse(
        _ span: borrowing Span<UInt8>, from start: Int, limits: Limits
    ) throws(HTTPError) -> RequestLine? {
        guard let (method, targetStart) = try parseMethod(span, from: start, limits: limits) else {
            return nil
        }
        let targetEnd = span.endOfTarget(from: targetStart)
        guard targetEnd - targetStart <= limits.target else {
            throw .targetTooLong(limit: limits.target)
        }
        guard targetEnd < span.count else { return nil }
        guard targetEnd > targetStart else {
            throw span[targetEnd] == 0x0A ? .lineEnd : span[targetEnd] == 0x23 ? .requestTarget : .requestLine
        }
        switch span[targetEnd] {
        case 0x20: break
        case 0x0D, 0x0A: throw .notHTTP("an HTTP/0.9 request")
        default: throw .requestTarget
        }
        let target = targetStart..<targetEnd
        guard let (minorVersion, end) = try parseVersion(span, from: targetEnd + 1) else { return nil }
        return RequestLine(method: method, target: target, minorVersion: minorVersion, end: end)
    }

    /// The method and where the target begins. Any token is a method (RFC 9110 §9.1); whether it is one that this
    /// server knows is for the router to say.
    private static func parseMethod(
        _ span: borrowing Span<UInt8>, from start: Int, limits: Limits
    ) throws(HTTPError) -> (HTTPRequest.Method, Int)? {
        let index = span.endOfToken(from: start)
        guard index - start <= limits.method else { throw .methodNotImplemented }
        guard index < span.count else { return nil }
        guard span[index] == 0x20, index > start else {
            if span[index] == 0x0A { throw .lineEnd }
            throw index == start ? notHTTP(span, from: start) : .requestLine
        }
        guard let method = HTTPRequest.Method(span, start..<index) else {
            throw .requestLine
        }
        return (method, index + 1)
    }

    /// `HTTP-version = "HTTP/" DIGIT "." DIGIT` and the line's end (RFC 9112 §2.3); any minor version of
    /// HTTP/1 from 1 on is spoken to as HTTP/1.1 (RFC 9110 §2.5).
    private static func parseVersion(
        _ span: borrowing Span<UInt8>, from start: Int
    ) throws(HTTPError) -> (minor: Int, end: Int)? {
        // What nearly every line ends in: HTTP/1.1.
        if span.hasEight(0x4854_5450_2F31_2E31, at: start), start &+ 10 <= span.count,
            span[start &+ 8] == 0x0D, span[start &+ 9] == 0x0A
        {
            return (1, start &+ 10)
        }
        var end = start
        while end < span.count, span[end].isVisible { end &+= 1 }
        // A version has 8 octets; what is much longer is none, whatever may follow.
        if end - start > 64 { throw .requestLine }
        guard end < span.count else { return nil }
        switch span[end] {
        case 0x0D: break
        case 0x0A: throw .lineEnd
        // A space here is one in the target, or one too many (RFC 9112 §3, §3.2).
        default: throw .requestLine
        }
        guard end + 1 < span.count else { return nil }
        guard span[end + 1] == 0x0A else { throw .lineEnd }
        guard end > start else { throw .requestLine }
        let isVersion =
            end - start == 8 && span[start] == 0x48 && span[start + 1] == 0x54 && span[start + 2] == 0x54
            && span[start + 3] == 0x50 && span[start + 4] == 0x2F && span[start + 5].isDigit
            && span[start + 6] == 0x2E && span[start + 7].isDigit
        // 505 is for the versions that there are or may be one day; what is none makes a line that is no request
        // line (RFC 9112 §3).
        guard isVersion else { throw .requestLine }
        guard span[start + 5] == 0x31 else { throw .version }
        return (span[start + 7] == 0x30 ? 0 : 1, end + 2)
    }

    /// What the first octets are, when they are no method.
    private static func notHTTP(_ span: borrowing Span<UInt8>, from start: Int) -> HTTPError {
        if span[start] == 0x16 { return .notHTTP("a TLS ClientHello") }
        let mayBeText = span[start].isVisible || span[start].isBlank || span[start] == 0x0D
        return mayBeText ? .requestLine : .notHTTP("binary data")
    }
}

extension HTTPRequest.Method {
    /// The method whose octets stand at `range`; `nil` when they are no token.
    package init?(_ span: borrowing Span<UInt8>, _ range: Range<Int>) {
        guard let method = Self.known(span, range) ?? Self.other(span, range) else { return nil }
        self = method
    }

    private static func known(_ span: borrowing Span<UInt8>, _ range: Range<Int>) -> HTTPRequest.Method? {
        // Methods are compared with regard to case (RFC 9110 §9.1).
        switch range.count {
        case 3: isMethod(span, range, "GET") ? .get : isMethod(span, range, "PUT") ? .put : nil
        case 4: isMethod(span, range, "POST") ? .post : isMethod(span, range, "HEAD") ? .head : nil
        case 5: isMethod(span, range, "PATCH") ? .patch : isMethod(span, range, "TRACE") ? .trace : nil
        case 6: isMethod(span, range, "DELETE") ? .delete : nil
        case 7:
            isMethod(span, range, "OPTIONS") ? .options : isMethod(span, range, "CONNECT") ? .connect : nil
        default: nil
        }
    }

    private static func other(_ span: borrowing Span<UInt8>, _ range: Range<Int>) -> HTTPRequest.Method? {
        var token = ""
        for index in range { token.unicodeScalars.append(Unicode.Scalar(span[index])) }
        return HTTPRequest.Method(token)
    }

    private static func isMethod(_ span: borrowing Span<UInt8>, _ range: Range<Int>, _ name: StaticString)
        -> Bool
    {
        var index = 0
        while index < range.count {
            if span[range.lowerBound &+ index] != name.utf8Start[index] { return false }
            index &+= 1
        }
        return true
    }
}
