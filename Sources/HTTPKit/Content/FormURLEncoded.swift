public import HTTPTypes
public import NIOCore

/// Why a query or an urlencoded form was rejected.
public enum FormError: ResponseError, Equatable {
    /// More pairs than the limit.
    case tooManyItems(limit: Int, count: Int)
    /// A name with more levels, such as `a[b][c]`, than the limit.
    case tooDeep(limit: Int)

    /// 413, or 400 for too many levels.
    public var status: HTTPResponse.Status {
        switch self {
        case .tooManyItems: .contentTooLarge
        case .tooDeep: .badRequest
        }
    }

    /// What is wrong, with the limit and the value.
    public var message: String {
        switch self {
        case .tooManyItems(let limit, let count): "the query or form has \(count) items, more than \(limit)"
        case .tooDeep(let limit): "a name of the query or form has more than \(limit) levels"
        }
    }
}

/// `application/x-www-form-urlencoded` (WHATWG URL §5), which queries use as well.
public enum FormURLEncoded {
    /// How many pairs are decoded unless the caller says otherwise.
    public static let defaultMaximumItems = 1000

    /// The pairs in order, as the URL standard's parser reads them. `+` is a space; a pair without `=` has an empty
    /// value; empty pairs are left out.
    ///
    /// Nothing in one pair costs another: a `%` without two hexadecimal digits stays as it is, and bytes that are not
    /// UTF-8 become U+FFFD.
    ///
    /// - Parameter maximumItems: The number of pairs above which nothing is decoded at all.
    /// - Throws: `FormError` for too many pairs.
    public static func decode(_ bytes: Span<UInt8>, maximumItems: Int = defaultMaximumItems) throws(FormError)
        -> NameValueList
    {
        var count = bytes.isEmpty ? 0 : 1
        for index in bytes.indices where bytes[index] == UInt8(ascii: "&") { count += 1 }
        guard count <= maximumItems else { throw .tooManyItems(limit: maximumItems, count: count) }
        var list = NameValueList()
        var start = 0
        while start < bytes.count {
            var end = start
            var equals: Int?
            while end < bytes.count, bytes[end] != UInt8(ascii: "&") {
                if equals == nil, bytes[end] == UInt8(ascii: "=") { equals = end }
                end += 1
            }
            if end > start {
                let name = bytes.extracting(start..<(equals ?? end))
                let value = bytes.extracting((equals.map { $0 + 1 } ?? end)..<end)
                list.append(
                    name: PercentCoding.decodeLeniently(name, plusIsSpace: true),
                    value: PercentCoding.decodeLeniently(value, plusIsSpace: true))
            }
            start = end + 1
        }
        return list
    }

    /// The pairs of a string, such as the query of a target.
    public static func decode(_ text: String, maximumItems: Int = defaultMaximumItems) throws(FormError)
        -> NameValueList
    {
        try decode(text.utf8.span, maximumItems: maximumItems)
    }

    /// The pairs of a collected body; all of its readable bytes.
    public static func decode(_ body: ByteBuffer, maximumItems: Int = defaultMaximumItems) throws(FormError)
        -> NameValueList
    {
        try decode(body.readableBytesUInt8Span, maximumItems: maximumItems)
    }

    /// The list as form text, pairs joined by `&`.
    public static func encode(_ list: some Sequence<NameValueList.Item>) -> String {
        list.map {
            PercentCoding.encode($0.name, allowed: .form) + "="
                + PercentCoding.encode($0.value, allowed: .form)
        }
        .joined(separator: "&")
    }
}
