public import HTTPTypes
package import NIOCore

/// Why a parameter is not there or not of the wanted type.
public struct ParameterError: ResponseError, Equatable, CustomStringConvertible {
    /// Where the parameter stands.
    public enum Place: String, Sendable {
        case path
        case query
    }

    /// What is wrong with it.
    public enum Reason: Sendable, Equatable {
        /// The request has none of that name; for a path: the route's pattern has none.
        case missing
        /// Its decoded octets are not UTF-8, or an escape is bad.
        case notUTF8
        /// Decoded, it could leave its place when it is used as a part of a path: it has a dot segment, and the value of
        /// `{rest...}` also when it begins with a slash, or a slash or backslash is encoded in it.
        case unsafePath
        /// It is there and is not one of these.
        case wrongType(value: String, wanted: String)
    }

    /// Where the parameter stands.
    public let place: Place
    /// Its name.
    public let name: String
    /// What is wrong with it.
    public let reason: Reason

    /// An error of the parameter `name`.
    public init(_ place: Place, _ name: String, _ reason: Reason) {
        self.place = place
        self.name = name
        self.reason = reason
    }

    /// A path that names nothing of the wanted type is not found (404); a query that is wrong, and octets that are
    /// no text or no safe path, are the client's mistake (400); a path parameter that the route does not declare is ours (500).
    public var status: HTTPResponse.Status {
        switch (place, reason) {
        case (_, .notUTF8), (_, .unsafePath), (.query, _): .badRequest
        case (.path, .wrongType): .notFound
        case (.path, .missing): .internalServerError
        }
    }

    /// Names the parameter, its value and what is wanted.
    public var message: String {
        switch reason {
        case .missing where place == .path: "the route has no path parameter \"\(name)\""
        case .missing: "the \(place.rawValue) parameter \"\(name)\" is missing"
        case .notUTF8: "the \(place.rawValue) parameter \"\(name)\" is not UTF-8"
        case .unsafePath:
            "the \(place.rawValue) parameter \"\(name)\" has an encoded separator or a dot segment"
        case .wrongType(let value, let wanted):
            "the \(place.rawValue) parameter \"\(name)\" is \"\(Self.shortened(value))\", which is not \(wanted)"
        }
    }

    /// The message.
    public var description: String { message }

    /// Enough of a value to recognise it; a client chooses its length.
    private static func shortened(_ value: String) -> String {
        value.count <= maxShownValue ? value : value.prefix(maxShownValue) + "…"
    }

    /// How many characters of a value stand in an error.
    private static let maxShownValue = 64
}

/// What the parameters of a route's pattern matched: `request.parameters.require("id", as: Int.self)`.
///
/// Ranges of the request's head; a value is percent-decoded, once, when it is asked for.
public struct PathParameters: Sendable {
    private let bytes: ByteBuffer
    private let ranges: ParameterRanges
    /// The pattern of the route that matched; `nil` before routing.
    public let pattern: PathPattern?

    /// No parameters.
    public init() {
        bytes = ByteBuffer()
        ranges = ParameterRanges()
        pattern = nil
    }

    package init(_ bytes: ByteBuffer, _ pattern: PathPattern, _ ranges: ParameterRanges) {
        self.bytes = bytes
        self.pattern = pattern
        self.ranges = ranges
    }

    /// The names, in the order of the pattern.
    public var names: [String] { pattern?.parameterNames ?? [] }

    /// The decoded value; `nil` where `require` throws.
    public subscript(name: String) -> String? {
        try? require(name)
    }

    /// The decoded value.
    ///
    /// It is safe as a part of a path: nothing in it is `.` or `..` between slashes or backslashes. The value of
    /// `{rest...}` has no other slashes than the request's path itself, no backslash, and does not begin with a slash.
    /// The value of `{name}` may hold a slash that was sent as `%2F`, as in the name of a package. Where a route wants all
    /// of that, it takes `raw`.
    /// - Throws: `ParameterError` when the pattern has none of that name, its bytes are not UTF-8, or it is not safe.
    public func require(_ name: String) throws(ParameterError) -> String {
        let (text, isRest) = try safeText(name)
        if isRest, text.utf8.first == UInt8(ascii: "/") { throw ParameterError(.path, name, .unsafePath) }
        return text
    }

    /// The decoded segments of `{rest...}`, without empty ones: `["a", "b"]` for `/files/a/b` and `/files//a/b/`. The value
    /// of `{name}` is one segment.
    ///
    /// - Throws: `ParameterError`, as `require` does.
    public func segments(_ name: String) throws(ParameterError) -> [String] {
        let (text, isRest) = try safeText(name)
        // No slash in it was encoded.
        return isRest ? text.split(separator: "/").map(String.init) : [text]
    }

    /// The decoded value, and whether it is that of `{rest...}`. It has no dot segment, and where it is, every slash in it
    /// separates segments of the request's path.
    private func safeText(_ name: String) throws(ParameterError) -> (String, isRest: Bool) {
        guard let range = rawRange(name) else { throw ParameterError(.path, name, .missing) }
        if let text = plainText(range) { return (text, pattern?.isRest(name) == true) }
        let text: String
        do {
            text = try PercentCoding.decodeString(bytes.readableBytesUInt8Span.extracting(range))
        } catch {
            throw ParameterError(.path, name, .notUTF8)
        }
        guard DotSegments.isSafe(text) else { throw ParameterError(.path, name, .unsafePath) }
        guard pattern?.isRest(name) == true else { return (text, false) }
        let slashes = range.count { bytes.readableBytesUInt8Span[$0] == UInt8(ascii: "/") }
        guard !text.utf8.contains(UInt8(ascii: "\\")),
            text.utf8.count(where: { $0 == UInt8(ascii: "/") }) == slashes
        else { throw ParameterError(.path, name, .unsafePath) }
        return (text, true)
    }

    /// The value where it is the same decoded: it has no escape and no backslash, so all its slashes separate segments, and
    /// the router has rejected dot segments. `nil` for any other.
    private func plainText(_ range: Range<Int>) -> String? {
        let value = bytes.readableBytesUInt8Span.extracting(range)
        for index in value.indices
        where value[index] == UInt8(ascii: "%") || value[index] == UInt8(ascii: "\\") {
            return nil
        }
        // A request target holds visible US-ASCII only.
        return value.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// The decoded value as an `Int`, a `Double`, or whatever else is made from text.
    /// - Throws: `ParameterError` naming the parameter, the value and the wanted type; its status is 404.
    public func require<Value: LosslessStringConvertible>(
        _ name: String, as type: Value.Type
    ) throws(ParameterError) -> Value {
        let text = try require(name)
        guard let value = Value(text) else {
            throw ParameterError(.path, name, .wrongType(value: text, wanted: WantedValue.name(of: type)))
        }
        return value
    }

    /// The value as it was sent, still percent-encoded. Nothing about it has been checked but its escapes.
    public func raw(_ name: String) -> String? {
        rawRange(name).map {
            String(decoding: bytes.readableBytesView[bytes.readerIndex + $0], as: UTF8.self)
        }
    }

    /// Where the raw value stands, counted from the first readable octet of the head.
    package func rawRange(_ name: String) -> Range<Int>? {
        guard let pattern else { return nil }
        for (index, candidate) in pattern.parameterNames.enumerated() where candidate == name {
            return index < ranges.count ? ranges[index] : nil
        }
        return nil
    }
}

private func + (offset: Int, range: Range<Int>) -> Range<Int> {
    offset + range.lowerBound..<offset + range.upperBound
}

/// The ranges that the parameters of one match take: four without an allocation, more in an array.
package struct ParameterRanges: Sendable {
    /// Half the size of a `Range<Int>`; a head is far smaller than 4 GiB.
    private struct Slot: Sendable {
        var lower: UInt32 = 0
        var upper: UInt32 = 0
    }

    private static let inlineCount = 4
    private var inline: InlineArray<4, Slot> = InlineArray(repeating: Slot())
    private var spill: [Slot] = []
    package private(set) var count = 0

    package init() {}

    package subscript(index: Int) -> Range<Int> {
        let slot = index < Self.inlineCount ? inline[index] : spill[index &- Self.inlineCount]
        return Int(slot.lower)..<Int(slot.upper)
    }

    @inline(__always)
    mutating func push(_ range: Range<Int>) {
        let slot = Slot(
            lower: UInt32(truncatingIfNeeded: range.lowerBound),
            upper: UInt32(truncatingIfNeeded: range.upperBound))
        if count < Self.inlineCount { inline[count] = slot } else { spill.append(slot) }
        count &+= 1
    }

    @inline(__always)
    mutating func pop() {
        count &-= 1
        if count >= Self.inlineCount { spill.removeLast() }
    }
}
