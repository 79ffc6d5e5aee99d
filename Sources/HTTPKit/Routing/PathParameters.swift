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
    /// no text, are the client's mistake (400); a path parameter that the route does not declare is ours (500).
    public var status: HTTPResponse.Status {
        switch (place, reason) {
        case (_, .notUTF8), (.query, _): .badRequest
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

    /// The decoded value; `nil` when the pattern has none of that name, or when its octets are not UTF-8.
    ///
    /// The value of `{rest...}` is decoded as a whole: a `%2F` in it becomes a slash like the others.
    public subscript(name: String) -> String? {
        try? require(name)
    }

    /// The decoded value.
    /// - Throws: `ParameterError` when the pattern has none of that name or its octets are not UTF-8.
    public func require(_ name: String) throws(ParameterError) -> String {
        guard let range = rawRange(name) else { throw ParameterError(.path, name, .missing) }
        do {
            return try PercentCoding.decodeString(bytes.readableBytesUInt8Span.extracting(range))
        } catch {
            throw ParameterError(.path, name, .notUTF8)
        }
    }

    /// The decoded value as an `Int`, a `Double`, or whatever else is made from text.
    /// - Throws: `ParameterError` naming the parameter, the value and the wanted type; its status is 404.
    public func require<Value: LosslessStringConvertible>(
        _ name: String, as type: Value.Type
    ) throws(ParameterError) -> Value {
        let text = try require(name)
        guard let value = Value(text) else {
            throw ParameterError(.path, name, .wrongType(value: text, wanted: "\(type)"))
        }
        return value
    }

    /// The value as it was sent, still percent-encoded.
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
