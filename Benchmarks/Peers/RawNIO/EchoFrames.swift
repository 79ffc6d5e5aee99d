import NIOCore
import PeerSupport

/// Echoes each frame (RFC 6455 §5.2): header, unmask a word at a time, write.
///
/// No fragments, no UTF-8 check, no size limit: the minimal cost. All frames of a read burst are sent in one write.
final class EchoFrames: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let topic: Topic?
    private var unread = ByteBuffer()
    private var out = ByteBuffer()

    init(topic: Topic?) { self.topic = topic }

    func handlerAdded(context: ChannelHandlerContext) { topic?.join(context) }

    func channelInactive(context: ChannelHandlerContext) {
        topic?.leave(context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if unread.readableBytes > 0 {
            unread.writeBuffer(&bytes)
            bytes = unread
            unread = ByteBuffer()
        }
        while let frame = nextFrame(in: &bytes) {
            switch frame.opcode & 0x0F {
            case 0x1, 0x2: echo(frame)
            case 0x8:
                context.close(promise: nil)
                return
            default: break
            }
        }
        if bytes.readableBytes > 0 { unread = bytes }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard out.readableBytes > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(out), promise: nil)
        out = ByteBuffer()
    }

    private struct Frame {
        var opcode: UInt8
        var key: UInt32
        var payload: ByteBuffer
    }

    private func nextFrame(in bytes: inout ByteBuffer) -> Frame? {
        let start = bytes.readerIndex
        guard let opcode = bytes.getInteger(at: start, as: UInt8.self),
            let lengthByte = bytes.getInteger(at: start + 1, as: UInt8.self)
        else { return nil }
        var length = Int(lengthByte & 0x7F)
        var header = 2
        if length == 126 {
            guard let long = bytes.getInteger(at: start + 2, as: UInt16.self) else { return nil }
            (length, header) = (Int(long), 4)
        } else if length == 127 {
            guard let long = bytes.getInteger(at: start + 2, as: UInt64.self) else { return nil }
            (length, header) = (Int(truncatingIfNeeded: long), 10)
        }
        guard bytes.readableBytes - header - 4 >= length,
            let key = bytes.getInteger(at: start + header, endianness: .host, as: UInt32.self),
            let payload = bytes.getSlice(at: start + header + 4, length: length)
        else { return nil }
        bytes.moveReaderIndex(forwardBy: header + 4 + length)
        return Frame(opcode: opcode, key: key, payload: payload)
    }

    private func echo(_ frame: Frame) {
        let length = frame.payload.readableBytes
        // One allocation for a burst of small messages, and one for a large message.
        if out.writableBytes < length + 10 {
            var larger = ByteBufferAllocator().buffer(capacity: max(512, out.readableBytes + length + 10))
            larger.writeBuffer(&out)
            out = larger
        }
        out.writeInteger(frame.opcode)
        switch length {
        case ..<126:
            out.writeInteger(UInt8(length))
        case ...0xFFFF:
            out.writeInteger(UInt8(126))
            out.writeInteger(UInt16(length))
        default:
            out.writeInteger(UInt8(127))
            out.writeInteger(UInt64(length))
        }
        let key = UInt64(frame.key) | UInt64(frame.key) << 32
        out.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { target in
            frame.payload.withUnsafeReadableBytes { source in
                let words = length & ~7
                for offset in stride(from: 0, to: words, by: 8) {
                    let word = source.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                    target.storeBytes(of: word ^ key, toByteOffset: offset, as: UInt64.self)
                }
                for offset in words..<length {
                    target[offset] = source[offset] ^ UInt8(truncatingIfNeeded: key >> UInt64(offset % 4 * 8))
                }
            }
            return length
        }
    }
}
