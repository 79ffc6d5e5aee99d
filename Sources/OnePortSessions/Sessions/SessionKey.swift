/// Names a value of a session, and its type.
///
/// ```swift
/// enum Cart: SessionKey { typealias Value = [Int] }
///
/// let session = try request.session
/// session[Cart.self, default: []].append(7)
/// ```
public protocol SessionKey {
    /// The type of the value.
    associatedtype Value: Codable & Sendable
    /// The name under which the value is kept. Keep it when the type is renamed.
    static var name: String { get }
}

extension SessionKey {
    /// The name of the type.
    public static var name: String { "\(Self.self)" }
}
