/// The Cookie field of a request (RFC 6265 §4.2, §5.4).
public enum CookieField {
    /// How many cookies of a request are read unless the caller says otherwise.
    public static let defaultMaximumCookies = 200

    /// The cookies in order, names and values as they came but for the double quotes around a value.
    ///
    /// A request's cookies are whatever the browser kept, from every server under the domain, so this is
    /// lenient: a name may hold all that browsers send, such as `foo[bar]`. What is not `name=value` is left out, and
    /// so are cookies without a name or with control characters. Nothing is percent-decoded.
    ///
    /// - Parameter maximumCookies: Cookies after that many are left out.
    public static func parse(_ field: String, maximumCookies: Int = defaultMaximumCookies) -> NameValueList {
        var list = NameValueList()
        // A comma is no separator here (RFC 6265 §4.2.1): it may be part of a value that browsers send back.
        for piece in field.utf8.split(separator: UInt8(ascii: ";"), maxSplits: maximumCookies) {
            guard list.count < maximumCookies else { break }
            guard let equals = piece.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = FieldList.trim(piece[..<equals])
            var value = FieldList.trim(piece[piece.index(after: equals)...])
            guard !name.isEmpty, !name.contains(where: \.isForbiddenControl),
                !value.contains(where: \.isForbiddenControl)
            else { continue }
            if value.count >= 2, value.first == UInt8(ascii: "\""), value.last == UInt8(ascii: "\"") {
                value = value.dropFirst().dropLast()
            }
            list.append(
                name: String(decoding: name, as: UTF8.self), value: String(decoding: value, as: UTF8.self))
        }
        return list
    }
}
