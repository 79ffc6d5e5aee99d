import FoundationEssentials
import HTTPTypes
import NIOCore

/// The form of an error response that the client likes best.
enum ErrorForm {
    case text, page, problem

    /// By the weights of Accept (RFC 9110 §12.5.1); of equal weights, the form that is named first. Clients that name
    /// none of them get text.
    init(accept: String?) {
        self = .text
        guard let accept else { return }
        var best = 0
        var refused: [ErrorForm] = []
        for range in QualityValues.parse(accept) {
            guard let form = Self.named(range.value) else { continue }
            if range.quality == 0 { refused.append(form) }
            if range.quality > best { (self, best) = (form, range.quality) }
        }
        if refused.contains(self) { self = .text }
    }

    private static func named(_ range: String) -> ErrorForm? {
        switch range {
        case "application/problem+json", "application/json", "application/*": .problem
        case "text/html", "application/xhtml+xml": .page
        case "text/plain", "text/*": .text
        default: nil
        }
    }
}

extension Response {
    /// The default response to an error in the form that the client prefers. Clients are told only the status of a fault
    /// of the program.
    ///
    /// - Parameters:
    ///   - request: `nil` if it could not be read.
    ///   - revealing: whether the text of a fault of the program is sent, too: in development.
    package init(error: any Error, for request: Request?, revealing: Bool = false) {
        let known = error as? any ResponseError
        let status =
            known?.status ?? (error is CancellationError ? .serviceUnavailable : .internalServerError)
        let phrase = status.reasonPhrase.isEmpty ? "\(status.code)" : status.reasonPhrase
        let isHidden = error.isServerFault || known == nil
        let text = isHidden ? (revealing ? known?.message ?? "\(error)" : nil) : known?.message
        let accept = request?.fields[.accept]
        switch ErrorForm(accept: accept) {
        case .text: self = .text((text ?? phrase) + "\n", status: status)
        case .page: self = .errorPage(status, phrase, text)
        case .problem:
            let document = ProblemDocument(
                status: status.code, phrase: phrase, detail: text,
                problem: isHidden ? Problem() : known?.problem ?? Problem())
            self = .problem(document, status)
        }
        if accept != nil { fields.addVary("Accept") }
        if let known { for field in known.fields { fields.append(field) } }
    }

    private static func errorPage(
        _ status: HTTPResponse.Status, _ phrase: String, _ text: String?
    ) -> Response {
        let title = "\(status.code) \(phrase)".htmlEscaped
        var page = "<!doctype html><html lang=en><meta charset=utf-8>"
        page += "<meta name=viewport content=\"width=device-width\"><title>\(title)</title>"
        page += "<style>body{font:16px/1.5 system-ui;margin:3rem auto;max-width:40rem;padding:0 1rem}"
        page += ":root{color-scheme:light dark}</style><h1>\(title)</h1>"
        if let text, text != phrase { page += "<p>\(text.htmlEscaped)</p>" }
        return .html(page + "\n", status: status)
    }

    private static func problem(_ document: ProblemDocument, _ status: HTTPResponse.Status) -> Response {
        // The members of the application may not encode.
        let data = (try? document.encoded()) ?? (try? document.withoutMembers.encoded()) ?? Data()
        return Response(
            status: status, fields: [.contentType: "application/problem+json"],
            body: .bytes(ByteBuffer(bytes: data)))
    }
}

/// An RFC 9457 document.
private struct ProblemDocument: Encodable {
    let status: Int
    let phrase: String
    let detail: String?
    var problem: Problem

    var withoutMembers: ProblemDocument {
        var document = self
        document.problem.members = [:]
        return document
    }

    func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        return try encoder.encode(self)
    }

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private static let ownNames: Set = ["type", "title", "status", "detail", "instance", "errors"]

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Key.self)
        try fields.encodeIfPresent(problem.type, forKey: Key(stringValue: "type"))
        try fields.encode(problem.title ?? phrase, forKey: Key(stringValue: "title"))
        try fields.encode(status, forKey: Key(stringValue: "status"))
        try fields.encodeIfPresent(detail, forKey: Key(stringValue: "detail"))
        try fields.encodeIfPresent(problem.instance, forKey: Key(stringValue: "instance"))
        if !problem.errors.isEmpty { try fields.encode(problem.errors, forKey: Key(stringValue: "errors")) }
        for (name, value) in problem.members where !Self.ownNames.contains(name) {
            try fields.encode(value, forKey: Key(stringValue: name))
        }
    }
}
