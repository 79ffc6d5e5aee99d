public import HTTPTypes

/// Why percent-encoded text could not be decoded (RFC 3986 §2.1).
public enum PercentCodingError: ResponseError, Equatable {
    /// A `%` at this offset that is not followed by two hexadecimal digits.
    case badEscape(at: Int)
    /// The decoded octets are not UTF-8.
    case notUTF8

    /// The wire answer: always 400.
    public var status: HTTPResponse.Status { .badRequest }

    /// What is wrong, and where.
    public var message: String {
        switch self {
        case .badEscape(let offset):
            "percent-encoding: '%' at offset \(offset) lacks its two hexadecimal digits"
        case .notUTF8: "percent-encoding: the decoded octets are not UTF-8"
        }
    }
}

/// Percent-encoding (RFC 3986 §2.1), once and, for paths, strictly: a bad escape is an error. What decodes to `%` is text
/// and not the start of another escape.
package enum PercentCoding {
    /// The characters that stay as they are when text is encoded.
    package struct Allowed: Sendable {
        fileprivate let set: ByteSet
        fileprivate let spaceIsPlus: Bool

        /// unreserved (RFC 3986 §2.3): right for any component, a query's names and values among them.
        package static let unreserved = Allowed(
            set: ByteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"),
            spaceIsPlus: false)
        /// pchar (RFC 3986 §3.3): right for one segment of a path.
        package static let pathSegment = Allowed(
            set: ByteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@"),
            spaceIsPlus: false)
        /// query without quotes and angle brackets (RFC 3986 §3.4), escapes included: right for a query that
        /// is passed on as it came.
        package static let rawQuery = Allowed(
            set: ByteSet(
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/?%[]"),
            spaceIsPlus: false)
        /// unreserved, gen-delims and sub-delims (RFC 3986 §2.2, §2.3): the characters of a URI. Escapes are for
        /// `encodeURI` to tell.
        package static let uri = Allowed(
            set: ByteSet(
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;="),
            spaceIsPlus: false)
        /// The application/x-www-form-urlencoded percent-encode set, with `+` for a space (WHATWG URL §5.2).
        package static let form = Allowed(
            set: ByteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-._"),
            spaceIsPlus: true)
    }

    /// The decoded octets. With `plusIsSpace`, `+` becomes a space, as forms have it.
    package static func decode(_ bytes: Span<UInt8>, plusIsSpace: Bool = false) throws(PercentCodingError)
        -> [UInt8]
    {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%") {
                guard index &+ 2 < bytes.count, let high = bytes[index &+ 1].hexDigitValue,
                    let low = bytes[index &+ 2].hexDigitValue
                else { throw .badEscape(at: index) }
                result.append(high << 4 | low)
                index &+= 3
            } else {
                result.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
                index &+= 1
            }
        }
        return result
    }

    /// The text as the URL standard decodes it: a `%` that does not begin an escape stays, and bytes that are not UTF-8
    /// become U+FFFD (WHATWG URL §1.3, §5.1). With `plusIsSpace`, `+` becomes a space, as forms have it.
    package static func decodeLeniently(_ bytes: Span<UInt8>, plusIsSpace: Bool = false) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%"), index &+ 2 < bytes.count,
                let high = bytes[index &+ 1].hexDigitValue, let low = bytes[index &+ 2].hexDigitValue
            {
                result.append(high << 4 | low)
                index &+= 3
            } else {
                result.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
                index &+= 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The decoded text; octets that are not UTF-8 are an error.
    package static func decodeString(_ bytes: Span<UInt8>, plusIsSpace: Bool = false)
        throws(PercentCodingError)
        -> String
    {
        let decoded = try decode(bytes, plusIsSpace: plusIsSpace)
        guard let text = String(validating: decoded, as: UTF8.self) else { throw .notUTF8 }
        return text
    }

    /// The decoded text of a string.
    package static func decodeString(_ text: String, plusIsSpace: Bool = false) throws(PercentCodingError)
        -> String
    {
        try decodeString(text.utf8.span, plusIsSpace: plusIsSpace)
    }

    /// The text with every octet outside `allowed` escaped, in upper-case hexadecimal (RFC 3986 §2.1).
    package static func encode(_ text: String, allowed: Allowed = .unreserved) -> String {
        encode(text.utf8.span, allowed: allowed)
    }

    /// The octets as ASCII text, with every octet outside `allowed` escaped.
    package static func encode(_ bytes: Span<UInt8>, allowed: Allowed = .unreserved) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for index in bytes.indices {
            let byte = bytes[index]
            if allowed.set.contains(byte) {
                result.append(byte)
            } else if byte == 0x20 && allowed.spaceIsPlus {
                result.append(UInt8(ascii: "+"))
            } else {
                result.append(UInt8(ascii: "%"))
                result.append(upperHex(byte >> 4))
                result.append(upperHex(byte & 15))
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// A URI reference with everything escaped that no URI may hold; escapes that are there already stay as they are.
    package static func encodeURI(_ text: String) -> String {
        let bytes = text.utf8.span
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for index in bytes.indices {
            let byte = bytes[index]
            let isEscape =
                byte == UInt8(ascii: "%") && index &+ 2 < bytes.count
                && bytes[index &+ 1].hexDigitValue != nil
                && bytes[index &+ 2].hexDigitValue != nil
            if isEscape || Allowed.uri.set.contains(byte) {
                result.append(byte)
            } else {
                result += [UInt8(ascii: "%"), upperHex(byte >> 4), upperHex(byte & 15)]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func upperHex(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "A") &+ (value &- 10)
    }
}
