package import HTTPTypes

/// How a request's content is delimited (RFC 9112 §6.3).
///
/// This file is the one place that decides it: two opinions on where a message ends are a smuggled request.
package enum BodyFraming: Equatable, Sendable {
    /// No content.
    case none
    /// That many octets; never 0.
    case length(Int)
    /// The chunked transfer coding (RFC 9112 §7.1).
    case chunked
}

/// What the framing fields of one head add up to, fed field by field.
struct FramingFields {
    private var contentLength: Int?
    private var sawTransferEncoding = false
    private var chunkedIsFinal = false
    private var failure: HTTPError?

    /// Content-Length (RFC 9110 §8.6): digits only, and only once. A list of equal values could be
    /// accepted (RFC 9112 §6.3 rule 5); refusing it is also allowed, and leaves nothing to disagree about.
    mutating func addContentLength(_ value: borrowing Span<UInt8>, _ range: Range<Int>) throws(HTTPError) {
        guard contentLength == nil, !range.isEmpty else { throw .contentLength }
        var length = 0
        for index in range {
            guard value[index].isDigit else { throw .contentLength }
            let (tens, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(Int(value[index] &- 0x30))
            guard !overflow, !carry else { throw .contentLength }
            length = sum
        }
        contentLength = length
    }

    /// Transfer-Encoding (RFC 9112 §6.1): the one coding known here is chunked, once, last, without parameters.
    /// What is wrong with it is kept until the head is whole, when the graver error is known.
    mutating func addTransferEncoding(_ value: borrowing Span<UInt8>, _ range: Range<Int>) {
        sawTransferEncoding = true
        var start = range.lowerBound
        var sawCoding = false
        while start <= range.upperBound {
            var end = start
            while end < range.upperBound, value[end] != 0x2C { end += 1 }
            var first = start
            var last = end
            while first < last, value[first].isBlank { first += 1 }
            while last > first, value[last - 1].isBlank { last -= 1 }
            start = end + 1
            // An empty element of a list is allowed to a sender's carelessness (RFC 9110 §5.6.1.2), not here:
            // peers differ in what they make of it.
            guard first < last else {
                failure = failure ?? .transferEncoding
                continue
            }
            sawCoding = true
            if chunkedIsFinal { failure = .transferEncoding }
            if value.equalsIgnoringCase(first..<last, "chunked") {
                chunkedIsFinal = true
            } else {
                chunkedIsFinal = false
                let isToken = (first..<last).allSatisfy { value[$0].isTokenCharacter }
                failure = failure ?? (isToken ? .transferCodingNotImplemented : .transferEncoding)
            }
        }
        if !sawCoding { failure = failure ?? .transferEncoding }
    }

    /// The framing of a request, once all its fields are known.
    func framing(minorVersion: Int) throws(HTTPError) -> BodyFraming {
        if try isChunked(minorVersion: minorVersion) { return .chunked }
        guard let contentLength, contentLength > 0 else { return .none }
        return .length(contentLength)
    }

    /// The framing of an answer that has content: without either field it ends with the connection.
    func answerFraming(minorVersion: Int) throws(HTTPError) -> ResponseFraming {
        if try isChunked(minorVersion: minorVersion) { return .chunked }
        return contentLength.map(ResponseFraming.length) ?? .untilClose
    }

    private func isChunked(minorVersion: Int) throws(HTTPError) -> Bool {
        guard sawTransferEncoding else { return false }
        if contentLength != nil || minorVersion == 0 { throw .conflictingFraming }
        if let failure { throw failure }
        guard chunkedIsFinal else { throw .transferEncoding }
        return true
    }
}

extension ResponseHead {
    /// How the answer's content is delimited (RFC 9112 §6.3), given the method that it answers.
    ///
    /// - Throws: what makes the end of the answer uncertain. Nothing behind its head may be read then.
    package func framing(answering method: HTTPRequest.Method) throws(HTTPError) -> ResponseFraming {
        // Rules 1 and 2, whatever the fields say.
        if method == .head || status < 200 || status == 204 || status == 304 { return .noContent }
        if method == .connect, status < 300 { return .noContent }
        var framing = FramingFields()
        for value in fields[values: .transferEncoding].map({ Array($0.utf8) }) {
            framing.addTransferEncoding(value.span, value.indices)
        }
        for value in fields[values: .contentLength].map({ Array($0.utf8) }) {
            try framing.addContentLength(value.span, value.indices)
        }
        return try framing.answerFraming(minorVersion: minorVersion)
    }
}
