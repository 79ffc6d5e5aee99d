package import HTTPTypes

extension HTTPFields {
    /// Says once that the answer depends on that field of the request (RFC 9110 §12.5.5).
    package mutating func addVary(_ name: String) {
        guard let value = self[.vary] else {
            self[.vary] = name
            return
        }
        let known = value.split { ", \t".contains($0) }.map { $0.lowercased() }
        if !known.contains("*"), !known.contains(name.lowercased()) { self[.vary] = value + ", " + name }
    }
}
