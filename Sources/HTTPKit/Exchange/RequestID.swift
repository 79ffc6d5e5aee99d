import HTTPTypes

/// The id of a request, among its values.
enum RequestID: RequestKey {
    typealias Value = String

    static func accept(_ text: String) -> String? {
        let isPlain = !text.isEmpty && text.utf8.count <= 128 && text.utf8.allSatisfy { $0.isVisible }
        return isPlain ? text : nil
    }

    static func random() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension Request {
    /// The id that the middleware `requestID` has given.
    public var id: String? { self[RequestID.self] ?? exchange?.notedID }
}

extension HTTPField.Name {
    static let xRequestID = HTTPField.Name("X-Request-Id") ?? .via
}
