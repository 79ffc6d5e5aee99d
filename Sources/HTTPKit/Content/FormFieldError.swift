public import HTTPTypes

/// Why a query, a form or the parameters of a path are not a value of the wanted type. It names the field.
public struct FormFieldError: ResponseError, Equatable, CustomStringConvertible {
    /// Where the field stands.
    public enum Place: String, Sendable {
        case path, query, form
    }

    /// What is wrong with it.
    public enum Reason: Sendable, Equatable {
        /// It is not there, or lacks the field of that name.
        case missing(String?)
        /// Its text is not one of the wanted type.
        case wrongType(value: String, wanted: String)
        /// It has a value that is not allowed, such as one that an enumeration does not have.
        case notAllowed(value: String)
    }

    /// Where the field stands.
    public let place: Place
    /// Its name and those of the fields around it, the outermost first.
    public let path: [String]
    /// What is wrong with it.
    public let reason: Reason

    init(_ place: Place, path: [any CodingKey], _ reason: Reason) {
        self.place = place
        var path = path.map(\.stringValue)
        var reason = reason
        if case .missing(let name?) = reason {
            path.append(name)
            reason = .missing(nil)
        }
        self.path = path
        self.reason = reason
    }

    /// A path that names nothing of the wanted type is not found (404); queries and forms are the client's mistake (400).
    public var status: HTTPResponse.Status {
        switch (place, reason) {
        case (.path, .missing): .internalServerError
        case (.path, _): .notFound
        default: .badRequest
        }
    }

    /// The name as forms write it: `user[name]`.
    public var name: String {
        path.enumerated().map { $0.offset == 0 ? $0.element : "[\($0.element)]" }.joined()
    }

    private var detail: String {
        switch reason {
        case .missing: "is missing"
        case .wrongType(let value, let wanted): "is \"\(Self.shortened(value))\", which is not \(wanted)"
        case .notAllowed(let value): "is \"\(Self.shortened(value))\", which is not allowed"
        }
    }

    /// Names the field, its value and what is wanted.
    public var message: String { "the \(place.rawValue) field \"\(name)\" \(detail)" }

    /// The message.
    public var description: String { message }

    /// Names the field.
    public var problem: Problem { Problem(errors: [FieldProblem(path: path, detail: detail)]) }

    /// Enough of a value to recognise it; a client chooses its length.
    private static func shortened(_ value: String) -> String {
        value.count <= 64 ? value : value.prefix(64) + "…"
    }
}
