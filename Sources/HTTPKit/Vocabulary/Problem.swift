/// What a JSON client is told about an error beside its status and text (RFC 9457, problem details).
///
/// ```swift
/// struct OutOfStock: ResponseError {
///     let item: String
///     var status: HTTPResponse.Status { .conflict }
///     var message: String { "\(item) is sold out" }
///     var problem: Problem { Problem(type: "https://shop.example/problems/out-of-stock", members: ["item": item]) }
/// }
/// ```
public struct Problem: Sendable {
    /// A URI that names the kind of the problem (§3.1.1); `nil` is `about:blank`: the status says it all.
    public var type: String?
    /// A short name of the kind (§3.1.3); `nil` is the reason phrase of the status.
    public var title: String?
    /// A URI that names this occurrence (§3.1.5).
    public var instance: String?
    /// The fields that were not accepted, all of them.
    public var errors: [FieldProblem]
    /// Further members (§3.2). Those named like a member above have no effect.
    public var members: [String: any Encodable & Sendable]

    /// Problem details. The status and the detail are those of the error.
    public init(
        type: String? = nil, title: String? = nil, instance: String? = nil, errors: [FieldProblem] = [],
        members: [String: any Encodable & Sendable] = [:]
    ) {
        self.type = type
        self.title = title
        self.instance = instance
        self.errors = errors
        self.members = members
    }
}

/// One field of a request that was not accepted.
public struct FieldProblem: Sendable, Hashable, Codable {
    /// Where the field is: a JSON pointer as a URI fragment (RFC 6901 §6), such as `#/items/3/name`; `#` is the whole
    /// document. Fields of forms and queries are named alike.
    public var pointer: String
    /// What is wrong there.
    public var detail: String

    /// A problem at a pointer.
    public init(pointer: String, detail: String) {
        self.pointer = pointer
        self.detail = detail
    }
}
