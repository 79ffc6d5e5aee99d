package import HTTPTypes
import NIOCore

extension RequestHead {
    /// A head that did not arrive as text: of HTTP/2 (RFC 9113 §8.3.1), or of a carrier in memory.
    ///
    /// - Parameters:
    ///   - authority: the value of `:authority`. It stands for Host, which is then left out of `fields`.
    ///   - path: the value of `:path`: a path with its query, `*` with OPTIONS, or `host:port` with a CONNECT that asks for
    ///     no protocol.
    ///   - connectProtocol: the value of `:protocol` of an extended CONNECT (RFC 8441 §4).
    /// - Throws: `HTTPError.requestTarget` or `.host` when path or authority are malformed.
    package init(
        version: HTTPVersion, method: HTTPRequest.Method, authority: String?, path: String,
        fields: HTTPFields,
        connectProtocol: String? = nil
    ) throws(HTTPError) {
        guard path.utf8.allSatisfy({ $0.isVisible && $0 != UInt8(ascii: "#") }) else { throw .requestTarget }
        var buffer = ByteBuffer(string: path)
        let target = 0..<buffer.readableBytes
        let isPlainConnect = method == .connect && connectProtocol == nil
        let form = try RequestTarget(
            buffer.readableBytesUInt8Span, target, isConnect: isPlainConnect, isOptions: method == .options)
        var slots: [FieldSlot] = []
        var hostSlot: FieldSlot?
        func add(_ name: String, _ value: String) -> FieldSlot {
            let slot = FieldSlot(
                nameStart: UInt32(clamping: buffer.writerIndex - target.upperBound),
                nameLength: UInt32(clamping: name.utf8.count),
                valueStart: UInt32(clamping: buffer.writerIndex - target.upperBound + name.utf8.count),
                valueLength: UInt32(clamping: value.utf8.count))
            buffer.writeString(name)
            buffer.writeString(value)
            return slot
        }
        if let authority {
            let slot = add("host", authority)
            guard Authority.isValid(buffer.readableBytesUInt8Span, slot.value(from: target.upperBound)) else {
                throw .host
            }
            hostSlot = slot
            slots.append(slot)
        }
        for field in fields {
            guard field.name.canonicalName == "host" else {
                slots.append(add(field.name.canonicalName, field.value))
                continue
            }
            guard hostSlot == nil else { continue }
            let slot = add("host", field.value)
            hostSlot = slot
            slots.append(slot)
        }
        let connectProtocolSlot = connectProtocol.map { add(":protocol", $0) }
        self.init(
            buffer: buffer, method: method, version: version, target: target, form: form,
            fieldsStart: target.upperBound, slots: slots, hostSlot: hostSlot,
            connectProtocolSlot: connectProtocolSlot
        )
    }
}
