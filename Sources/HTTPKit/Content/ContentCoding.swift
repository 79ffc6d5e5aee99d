import HTTPTypes

extension Request {
    /// The content codings of the body that have not been undone, in the order in which they were applied
    /// (RFC 9110 §8.4), in lower case.
    package var contentCodings: [String] {
        guard !body.isEmpty, let field = fields[.contentEncoding] else { return [] }
        return field.utf8.split(separator: UInt8(ascii: ",")).compactMap { item in
            var item = item
            while let first = item.first, first.isBlank { item = item.dropFirst() }
            while let last = item.last, last.isBlank { item = item.dropLast() }
            let coding = String(decoding: item, as: UTF8.self).lowercased()
            return coding.isEmpty || coding == "identity" ? nil : coding
        }
    }

    /// The codings that are undone for this request, as Accept-Encoding has them; set by the middleware that does it.
    package var acceptedCodings: String {
        get { self[AcceptedCodings.self] ?? "identity" }
        set { self[AcceptedCodings.self] = newValue }
    }

    private enum AcceptedCodings: RequestKey {
        typealias Value = String
    }

    /// Rejects a body that is still encoded, before anything is read of it.
    ///
    /// - Throws: `HTTPFailure` (415), with the codings that would do in Accept-Encoding (RFC 9110 §12.5.3, §15.5.16).
    func requireDecodedBody() throws {
        let codings = contentCodings
        guard !codings.isEmpty else { return }
        throw HTTPFailure(
            .unsupportedMediaType,
            "the content coding \(codings.joined(separator: ", ")) is not supported here; "
                + "supported: \(acceptedCodings)",
            fields: [.acceptEncoding: acceptedCodings])
    }
}
