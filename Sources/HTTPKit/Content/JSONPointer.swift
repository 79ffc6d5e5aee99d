extension FieldProblem {
    /// A problem at the end of `path`.
    package init(path: some Sequence<String>, detail: String) {
        self.init(pointer: Self.pointer(to: path), detail: detail)
    }

    /// The pointer whose reference tokens are `path` (RFC 6901 §3, §6).
    static func pointer(to path: some Sequence<String>) -> String {
        path.reduce(into: "#") { pointer, name in
            var token = ""
            for scalar in name.unicodeScalars {
                switch scalar {
                case "~": token += "~0"
                case "/": token += "~1"
                default: token.unicodeScalars.append(scalar)
                }
            }
            pointer += "/" + PercentCoding.encode(token, allowed: .pathSegment)
        }
    }
}
