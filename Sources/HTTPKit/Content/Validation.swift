public import HTTPTypes

/// A value whose fields have constraints.
///
/// `request.json(as:)`, `form(as:)`, `query(as:)` and `parameters(as:)` validate what they have decoded, and reject it with
/// 422 and a list of all failures.
///
/// ```swift
/// struct NewTodo: Decodable, Validatable {
///     var title: String
///     var priority: Int?
///
///     func validate(_ checks: inout Checks) {
///         checks.length(of: title, in: 1...200, "title")
///         checks.range(of: priority ?? 1, in: 1...5, "priority")
///         checks.require(title.first != " ", "title", "must not begin with a space")
///     }
/// }
/// ```
public protocol Validatable {
    /// Checks the fields. All failures are collected.
    func validate(_ checks: inout Checks)
}

/// Collects the failures of a validation.
public struct Checks: Sendable {
    /// How many failures are kept; the client learns of no more at once.
    public static let maxFailures = 100

    private var path: [String] = []
    /// The failures until now.
    public private(set) var failures: [FieldProblem] = []

    /// No failures yet.
    public init() {}

    /// Notes a failure of `field` unless the condition holds.
    ///
    /// - Parameter detail: what is wrong, for clients: `must not be empty`.
    public mutating func require(_ condition: Bool, _ field: String, _ detail: @autoclosure () -> String) {
        guard !condition, failures.count < Self.maxFailures else { return }
        failures.append(FieldProblem(path: path + [field], detail: detail()))
    }

    /// The text of `field` must have as many characters as the range says.
    public mutating func length(of text: String, in range: ClosedRange<Int>, _ field: String) {
        require(
            range.contains(text.count), field,
            "must have \(range.lowerBound) to \(range.upperBound) characters")
    }

    /// The value of `field` must be in the range.
    public mutating func range<Value: Comparable>(
        of value: Value, in range: ClosedRange<Value>, _ field: String
    ) {
        require(range.contains(value), field, "must be from \(range.lowerBound) to \(range.upperBound)")
    }

    /// Validates the value of `field` with the fields below it: also an array, or an optional, of such values.
    public mutating func nested(_ value: some Validatable, _ field: String) {
        path.append(field)
        value.validate(&self)
        path.removeLast()
    }
}

/// Fields of a request that are well-formed and not acceptable (422), all of them.
///
/// Handlers may throw it too: `throw ValidationError("name", "is taken")`.
public struct ValidationError: ResponseError, Equatable, CustomStringConvertible {
    /// The failures, in the order in which they were found.
    public let failures: [FieldProblem]

    /// An error of these failures.
    public init(_ failures: [FieldProblem]) { self.failures = failures }

    /// An error of one field.
    public init(_ field: String, _ detail: String) {
        failures = [FieldProblem(path: [field], detail: detail)]
    }

    /// 422 (RFC 9110 §15.5.21).
    public var status: HTTPResponse.Status { .unprocessableContent }

    /// One line for each failure.
    public var message: String {
        failures.map { "\($0.pointer.dropFirst(2)): \($0.detail)" }.joined(separator: "\n")
    }

    /// The message.
    public var description: String { message }

    /// Lists the failures.
    public var problem: Problem { Problem(errors: failures) }
}

extension Validatable {
    /// Checks the fields.
    ///
    /// - Throws: `ValidationError` with all failures.
    public func validate() throws(ValidationError) {
        var checks = Checks()
        validate(&checks)
        guard checks.failures.isEmpty else { throw ValidationError(checks.failures) }
    }
}

extension Array: Validatable where Element: Validatable {
    /// Checks all elements.
    public func validate(_ checks: inout Checks) {
        for (index, element) in enumerated() { checks.nested(element, "\(index)") }
    }
}

extension Optional: Validatable where Wrapped: Validatable {
    /// Checks the value if there is one.
    public func validate(_ checks: inout Checks) { self?.validate(&checks) }
}

extension Decodable {
    /// This value, if it has no constraints or satisfies them.
    func validated() throws(ValidationError) -> Self {
        // Most types have none. A value is put into a box only where it has.
        if Self.self is any Validatable.Type, let value = self as? any Validatable { try value.validate() }
        return self
    }
}
