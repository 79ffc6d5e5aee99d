import HTTPKit

/// What requests are counted by.
public struct RateLimitKey: Sendable {
    /// The value of a key for one request.
    enum Value: Hashable, Sendable {
        case address(ClientNetwork)
        case text(String)
        indirect case both(Value, Value)
    }

    let value: @Sendable (Request) -> Value?

    /// The address of the client: an IPv4 address, or the first 64 bits of an IPv6 address. Clients that a trusted proxy does
    /// not name are not limited, and neither are those of a Unix socket.
    public static let address = RateLimitKey { request in
        request.countedAddress.flatMap(ClientNetwork.init).map { .address($0) }
    }

    /// The route, all clients together.
    public static let route = RateLimitKey { .text("\($0.method.rawValue) \($0.pattern)") }

    /// A text of the application's, such as the user's name; `nil` is not limited.
    public static func custom(_ key: @escaping @Sendable (Request) -> String?) -> RateLimitKey {
        RateLimitKey { request in key(request).map { .text($0) } }
    }

    /// Both together: `.address.and(.route)` counts the requests of each client to each route.
    public func and(_ other: RateLimitKey) -> RateLimitKey {
        RateLimitKey { request in
            guard let left = value(request), let right = other.value(request) else { return nil }
            return .both(left, right)
        }
    }
}
