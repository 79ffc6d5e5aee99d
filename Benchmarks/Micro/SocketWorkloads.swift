import NIOCore
import WSKit

/// Workloads of WebSockets: frames, masking, UTF-8, deflate and publishing.
enum SocketWorkloads {
    static let all: [Workload] = [
        mask("mask-20", 20), mask("mask-16k", 16 << 10),
        decodeFrame, encodeFrame("encode-frame-20", 20), encodeFrame("encode-frame-16k", 16 << 10),
        validate("utf8-ascii-1k", "plain text, "), validate("utf8-mixed-1k", "mixed: äöü € 漢字 𝄞, "),
        receive("receive-20", 20), receive("receive-16k", 16 << 10),
        compress, prepare, publish,
    ]

    private static let key: UInt32 = 0x9E37_79B9

    private static func text(_ count: Int) -> ByteBuffer {
        ByteBuffer(bytes: (0..<count).map { UInt8(ascii: "a") + UInt8($0 % 26) })
    }

    /// A client's text frame, masked.
    static func frame(_ count: Int) -> ByteBuffer {
        var frame = ByteBuffer()
        FrameEncoder.write(
            FrameHeader(opcode: .text, mask: key, length: count), text(count).readableBytesSpan, into: &frame)
        return frame
    }

    private static func mask(_ name: String, _ count: Int) -> Workload {
        Workload(name, bytes: count) {
            let payload = text(count)
            var out = ByteBufferAllocator().buffer(capacity: count)
            return { operations in
                for _ in 0..<operations {
                    out.clear()
                    Mask.append(payload.readableBytesSpan, key: key, phase: 0, to: &out)
                }
                guard out.readableBytes == count else { throw WrongResult(description: name) }
            }
        }
    }

    private static let decodeFrame = Workload("decode-frame-header") {
        let bytes = frame(20)
        var decoder = FrameDecoder(sender: .client, allowsCompression: false)
        return { operations in
            for _ in 0..<operations {
                var input = bytes
                guard let header = try decoder.next(&input), header.length == 20 else {
                    throw WrongResult(description: "decode-frame-header")
                }
                use(header)
            }
        }
    }

    private static func encodeFrame(_ name: String, _ count: Int) -> Workload {
        Workload(name, bytes: count) {
            let payload = text(count)
            let header = FrameHeader(opcode: .text, length: count)
            var out = ByteBufferAllocator().buffer(capacity: count + FrameHeader.maxEncodedLength)
            return { operations in
                for _ in 0..<operations {
                    out.clear()
                    FrameEncoder.write(header, payload.readableBytesSpan, into: &out)
                }
                guard out.readableBytes > count else { throw WrongResult(description: name) }
            }
        }
    }

    private static func validate(_ name: String, _ sample: String) -> Workload {
        var long = ""
        while long.utf8.count < 1024 { long += sample }
        let bytes = ByteBuffer(string: long)
        return Workload(name, bytes: bytes.readableBytes) {
            return { operations in
                for _ in 0..<operations {
                    guard UTF8Validator.isValid(bytes.readableBytesSpan) else {
                        throw WrongResult(description: name)
                    }
                }
            }
        }
    }

    /// From a masked text frame to a message: header, unmasking, UTF-8.
    private static func receive(_ name: String, _ count: Int) -> Workload {
        Workload(name, bytes: count) {
            let bytes = frame(count)
            var decoder = FrameDecoder(sender: .client, allowsCompression: false)
            var assembler = MessageAssembler(limits: WSLimits(), inflater: nil, delivery: .whole)
            return { operations in
                for _ in 0..<operations {
                    var input = bytes
                    guard let header = try decoder.next(&input) else { throw WrongResult(description: name) }
                    try assembler.admit(header)
                    guard let message = try assembler.readWhole(header, &input), message.count == count else {
                        throw WrongResult(description: name)
                    }
                    use(message)
                }
            }
        }
    }

    /// 1 KiB of JSON in the default mode, with the event loop's shared compressor.
    private static let compress = Workload("deflate-message-1k", bytes: 1024) {
        let parameters = DeflateParameters(serverNoContextTakeover: true, clientNoContextTakeover: true)
        var deflater = MessageDeflater(parameters, role: .server, mode: .shared, shared: SharedDeflate())
        var out = ByteBufferAllocator().buffer(capacity: 4096)
        return { operations in
            for _ in 0..<operations {
                out.clear()
                let json = CompressionWorkloads.json
                guard try deflater.compress(json.readableBytesSpan, into: &out) else {
                    throw WrongResult(description: "deflate-message-1k")
                }
            }
        }
    }

    /// Preparing a message of 100 bytes for a room.
    private static let prepare = Workload("prepare-100") {
        let message = Message(text: String(repeating: "0123456789", count: 10))
        return { operations in
            for _ in 0..<operations { use(PreparedMessage(message).plainFrame) }
        }
    }

    /// The cost of each further subscriber of a prepared message, before the channel.
    private static let publish = Workload("publish-prepared") {
        let prepared = PreparedMessage(Message(text: String(repeating: "0123456789", count: 10)))
        return { operations in
            for _ in 0..<operations { use(prepared.plainFrame) }
        }
    }
}
