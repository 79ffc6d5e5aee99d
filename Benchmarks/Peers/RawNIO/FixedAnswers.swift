import Foundation
import NIOCore
import NIOPosix
import PeerSupport

/// Sends fixed bytes for each `\r\n\r\n` that it receives, with one write for all requests of a read burst.
///
/// One letter of the target selects the bytes. Only upgrades and uploads are parsed further.
final class FixedAnswers: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case head
        case sinking(Int, of: Int)
        case echoing(Int)
    }

    static let plaintext = answer("Hello, World!", type: "text/plain")
    static let json = answer(#"{"message":"Hello, World!"}"#, type: "application/json")
    static let parameters = answer(#"{"id":"42","name":"benchmark"}"#, type: "application/json")
    static let ok = answer("ok", type: "text/plain")
    static let message = prepared()

    private let topics: Topics
    private let staticFolder: String?
    private var state = State.head
    private var unread = ByteBuffer()
    private var out = ByteBuffer()

    init(topics: Topics, staticFolder: String?) {
        self.topics = topics
        self.staticFolder = staticFolder
    }

    static func answer(_ body: String, type: String) -> ByteBuffer {
        ByteBuffer(
            string:
                "HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        )
    }

    /// The published frame: an unmasked text frame of 100 bytes (RFC 6455 §5.2).
    static func prepared() -> ByteBuffer {
        var frame = ByteBuffer(bytes: [0x81, UInt8(broadcastText.utf8.count)])
        frame.writeString(broadcastText)
        return frame
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if unread.readableBytes > 0 {
            unread.writeBuffer(&bytes)
            bytes = unread
            unread = ByteBuffer()
        }
        while bytes.readableBytes > 0 {
            switch state {
            case .head:
                guard let length = headLength(of: bytes), let head = bytes.readSlice(length: length) else {
                    unread = bytes
                    return
                }
                if take(head, followedBy: &bytes, context: context) { return }
            case .sinking(let left, let total):
                let count = min(left, bytes.readableBytes)
                bytes.moveReaderIndex(forwardBy: count)
                state = count == left ? .head : .sinking(left - count, of: total)
                if count == left { put(Self.answer("\(total)", type: "text/plain")) }
            case .echoing(let left):
                guard let part = bytes.readSlice(length: min(left, bytes.readableBytes)) else { return }
                flushAnswers(context: context)
                context.write(wrapOutboundOut(part), promise: nil)
                let rest = left - part.readableBytes
                state = rest == 0 ? .head : .echoing(rest)
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flushAnswers(context: context)
        context.flush()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Handles one request. Returns true if another handler has taken over the connection.
    private func take(
        _ head: ByteBuffer, followedBy rest: inout ByteBuffer, context: ChannelHandlerContext
    ) -> Bool {
        let start = head.readerIndex
        if head.getInteger(at: start, as: UInt8.self) == UInt8(ascii: "P") {
            let length = Int(field("content-length", of: head) ?? "") ?? 0
            guard head.getInteger(at: start + 6, as: UInt8.self) == UInt8(ascii: "e") else {
                state = .sinking(length, of: length)
                return false
            }
            out.writeString("HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\n")
            state = length == 0 ? .head : .echoing(length)
            return false
        }
        switch head.getInteger(at: start + 5, as: UInt8.self) {
        case UInt8(ascii: "p"):
            let isPlaintext = head.getInteger(at: start + 6, as: UInt8.self) == UInt8(ascii: "l")
            put(isPlaintext ? Self.plaintext : Self.parameters)
        case UInt8(ascii: "j"):
            put(Self.json)
        case UInt8(ascii: "b"):
            put(Self.ok)
            topics.broadcast { NIOAny(Self.message) }
        case UInt8(ascii: "w"):
            upgrade(head, rest, to: EchoFrames(topic: nil), context: context)
            return true
        case UInt8(ascii: "s") where head.getInteger(at: start + 6, as: UInt8.self) == UInt8(ascii: "u"):
            upgrade(head, rest, to: EchoFrames(topic: topics[context.eventLoop]), context: context)
            return true
        case UInt8(ascii: "s"):
            sendFile(of: head, context: context)
        default:
            out.writeString("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        }
        return false
    }

    /// A single response is not copied. Further responses of the same burst are appended.
    private func put(_ answer: ByteBuffer) {
        guard out.readableBytes > 0 else {
            out = answer
            return
        }
        if out.writableBytes < answer.readableBytes {
            var larger = ByteBufferAllocator().buffer(capacity: max(4096, 2 * out.readableBytes))
            larger.writeBuffer(&out)
            out = larger
        }
        out.writeImmutableBuffer(answer)
    }

    private func flushAnswers(context: ChannelHandlerContext) {
        guard out.readableBytes > 0 else { return }
        context.write(wrapOutboundOut(out), promise: nil)
        out = ByteBuffer()
    }

    private func upgrade(
        _ head: ByteBuffer, _ rest: ByteBuffer, to handler: EchoFrames, context: ChannelHandlerContext
    ) {
        let accept = webSocketAccept(forKey: field("sec-websocket-key", of: head) ?? "")
        out.writeString(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: \(accept)\r\n\r\n")
        flushAnswers(context: context)
        context.flush()
        let pipeline = context.pipeline.syncOperations
        do {
            try pipeline.addHandler(handler, position: .after(self))
            pipeline.removeHandler(self, promise: nil)
            if rest.readableBytes > 0 { context.fireChannelRead(NIOAny(rest)) }
        } catch {
            context.close(promise: nil)
        }
    }

    /// A file: its size is read for each request, its bytes are sent with `sendfile`.
    private func sendFile(of head: ByteBuffer, context: ChannelHandlerContext) {
        let line = head.getString(at: head.readerIndex, length: min(head.readableBytes, 256)) ?? ""
        let name = line.dropFirst("GET /static/".count).prefix { $0 != " " && $0 != "/" }
        guard let staticFolder, let file = try? NIOFileHandle(_deprecatedPath: "\(staticFolder)/\(name)"),
            let region = try? FileRegion(fileHandle: file)
        else {
            out.writeString("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        }
        out.writeString(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: \(region.readableBytes)\r\n\r\n"
        )
        flushAnswers(context: context)
        context.writeAndFlush(NIOAny(region)).whenComplete { _ in try? file.close() }
    }
}

extension FixedAnswers: RemovableChannelHandler {}

/// The length of the head at the start of `bytes`, including its blank line.
private func headLength(of bytes: ByteBuffer) -> Int? {
    let blankLine: UInt32 = 0x0A0D_0A0D
    return bytes.withUnsafeReadableBytes { region in
        guard let base = region.baseAddress else { return nil }
        var offset = 0
        while offset + 4 <= region.count,
            let found = memchr(base + offset, 0x0D, region.count - offset - 3)
        {
            offset = UnsafeRawPointer(found) - base
            if region.loadUnaligned(fromByteOffset: offset, as: UInt32.self) == blankLine {
                return offset + 4
            }
            offset += 2
        }
        return nil
    }
}

/// A header's value. The search is slow, but only handshakes and uploads need it.
private func field(_ name: String, of head: ByteBuffer) -> String? {
    let text = String(buffer: head)
    for line in text.split(separator: "\r\n").dropFirst() {
        let parts = line.split(separator: ":", maxSplits: 1)
        if parts.count == 2, parts[0].lowercased() == name {
            return parts[1].trimmingCharacters(in: .whitespaces)
        }
    }
    return nil
}
