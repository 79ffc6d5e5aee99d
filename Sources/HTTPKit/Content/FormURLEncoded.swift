public import HTTPTypes
public import NIOCore

/// Why a query or an urlencoded form was refused.
public enum FormError: ResponseError, Equatable {
    /// More pairs than the limit.
    case tooManyItems(limit: Int, count: Int)
    /// The item with this number, counted from 1, cannot be decoded.
    case coding(PercentCodingError, item: Int)

    /// 413 for too many pairs, otherwise 400.
    public var status: HTTPResponse.Status {
        switch self {
        case .tooManyItems: .contentTooLarge
        case .coding: .badRequest
        }
    }

    /// What is wrong, with the limit and the value.
    public var message: String {
        switch self {
        case .tooManyItems(let limit, let count): "the query or form has \(count) items, more than \(limit)"
        case .coding(let error, let item): "item \(item) of the query or form: \(error.message)"
        }
    }
}

/// `application/x-www-form-urlencoded` (WHATWG URL §5), which queries use as well.
public enum FormURLEncoded {
    /// How many pairs are decoded unless the caller says otherwise.
    public static let defaultMaximumItems = 1000

    /// The pairs in order. `+` is a space; a pair without `=` has an empty value; empty pairs are left out.
    ///
    /// - Parameter maximumItems: The number of pairs above which nothing is decoded at all.
    /// - Throws: `FormError`; bad escapes and octets that are not UTF-8 are errors, not text.
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
                do {
                    list.append(
                        name: try PercentCoding.decodeString(name, plusIsSpace: true),
                        value: try PercentCoding.decodeString(value, plusIsSpace: true))
                } catch {
                    throw .coding(error, item: list.count + 1)
                }
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
