public import HTTPTypes
import NIOCore

/// The fields of a request (RFC 9110 §5), which become text when asked for.
public struct RequestFields: Sendable, Sequence {
    let head: RequestHead

    /// How many field lines there are.
    public var count: Int { head.slots.count }

    /// The value of the field; those of several lines joined by `", "`, of Cookie by `"; "` (RFC 9110 §5.2).
    public subscript(name: HTTPField.Name) -> String? {
        let wanted = name.canonicalName
        let separator = name == .cookie ? "; " : ", "
        var result: String?
        for slot in head.slots where matches(slot, wanted) {
            let value = head.value(slot)
            if result == nil {
                result = value
            } else {
                result?.append(separator)
                result?.append(value)
            }
        }
        return result
    }

    /// The values of all lines of that name, in order.
    public subscript(values name: HTTPField.Name) -> [String] {
        let wanted = name.canonicalName
        return head.slots.compactMap { matches($0, wanted) ? head.value($0) : nil }
    }

    /// Whether a line of that name is there.
    public func contains(_ name: HTTPField.Name) -> Bool {
        let wanted = name.canonicalName
        return head.slots.contains { matches($0, wanted) }
    }

    /// All of them as the field's common currency type.
    public var all: HTTPFields {
        var fields = HTTPFields()
        for (name, value) in self {
            guard let name = HTTPField.Name(name) else { continue }
            fields.append(HTTPField(name: name, value: value))
        }
        return fields
    }

    /// The lines as received: name and value, in order.
    public func makeIterator() -> some IteratorProtocol<(name: String, value: String)> {
        head.slots.lazy.map { (name: head.name($0), value: head.value($0)) }
            .makeIterator()
    }

    /// Names are compared without regard to case (RFC 9110 §5.1); `wanted` is in lower case.
    func matches(_ slot: FieldSlot, _ wanted: String) -> Bool {
        let wanted = wanted.utf8
        guard Int(slot.nameLength) == wanted.count else { return false }
        let span = head.buffer.readableBytesUInt8Span
        var index = slot.name(from: head.fieldsStart).lowerBound
        for byte in wanted {
            if span[index].asciiLowercased != byte { return false }
            index += 1
        }
        return true
    }
}
