import HTTPKit
import Synchronization

/// The cookies of a client under test, as a browser with one site keeps them: by name and path. Attributes other than Path
/// and Max-Age are not looked at.
final class TestCookies: Sendable {
    private struct Cookie {
        let name: String
        let value: String
        let path: String
    }

    private let cookies = Mutex<[Cookie]>([])

    /// The Cookie field of a request, the longest path first (RFC 6265 §5.4); `nil` if there are none.
    func field(for target: String) -> String? {
        let path = String(target.prefix { $0 != "?" })
        let matching = cookies.withLock { $0 }
            .filter { path == $0.path || path.hasPrefix($0.path.hasSuffix("/") ? $0.path : $0.path + "/") }
            .sorted { $0.path.utf8.count > $1.path.utf8.count }
        if matching.isEmpty { return nil }
        return matching.map { "\($0.name)=\($0.value)" }.joined(separator: "; ")
    }

    /// Keeps what the fields of one response set, and removes what they expire.
    func store(_ fields: [String]) {
        for field in fields {
            let parts = CookieField.parse(field)
            guard let first = parts.first else { continue }
            func attribute(_ name: String) -> String? {
                parts.dropFirst().last { $0.name.lowercased() == name }?.value
            }
            let path = attribute("path") ?? "/"
            let isExpired = attribute("max-age").flatMap { Int($0) }.map { $0 <= 0 } ?? false
            cookies.withLock { cookies in
                cookies.removeAll { $0.name == first.name && $0.path == path }
                if !isExpired { cookies.append(Cookie(name: first.name, value: first.value, path: path)) }
            }
        }
    }
}
