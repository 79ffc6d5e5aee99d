import Foundation
import NIOCore
import NIOHTTP1
import NIOWebSocket
import PeerSupport

/// Responds to requests that NIOHTTP1 has parsed.
final class StockAnswers: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    struct Message: Encodable {
        var message: String
    }

    struct Parameters: Encodable {
        var id: String
        var name: String
    }

    private let topics: Topics
    private var path = ""
    private var received = 0

    init(topics: Topics) { self.topics = topics }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            path = head.uri
            received = 0
            if path == "/echo" {
                var fields = HTTPHeaders()
                if let length = head.headers.first(name: "content-length") {
                    fields.add(name: "content-length", value: length)
                }
                let answer = HTTPResponseHead(version: .http1_1, status: .ok, headers: fields)
                context.write(wrapOutboundOut(.head(answer)), promise: nil)
            }
        case .body(let part):
            received += part.readableBytes
            if path == "/echo" {
                context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(part))), promise: nil)
            }
        case .end:
            finish(context: context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func finish(context: ChannelHandlerContext) {
        let parts = path.split(separator: "/")
        switch parts.first {
        case "plaintext": answer(ByteBuffer(string: "Hello, World!"), context: context)
        case "json": answer(Message(message: "Hello, World!"), context: context)
        case "params" where parts.count == 3:
            answer(
                Parameters(
                    id: parts[1].removingPercentEncoding ?? "", name: parts[2].removingPercentEncoding ?? ""),
                context: context)
        case "collect": answer(ByteBuffer(string: "\(received)"), context: context)
        case "echo": context.write(wrapOutboundOut(.end(nil)), promise: nil)
        case "bcast":
            answer(ByteBuffer(string: "ok"), context: context)
            let text = ByteBuffer(string: broadcastText)
            topics.broadcast { NIOAny(WebSocketFrame(fin: true, opcode: .text, data: text)) }
        default:
            answer(ByteBuffer(), status: .notFound, context: context)
        }
    }

    private func answer(_ value: some Encodable, context: ChannelHandlerContext) {
        let data = (try? JSONEncoder().encode(value)) ?? Data()
        answer(ByteBuffer(bytes: data), type: "application/json", context: context)
    }

    private func answer(
        _ body: ByteBuffer, status: HTTPResponseStatus = .ok, type: String = "text/plain",
        context: ChannelHandlerContext
    ) {
        let fields: HTTPHeaders = ["content-type": type, "content-length": "\(body.readableBytes)"]
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: fields)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.write(wrapOutboundOut(.end(nil)), promise: nil)
    }
}

/// Echoes messages that NIOWebSocket has decoded.
final class StockEcho: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let topic: Topic?

    init(topic: Topic?) { self.topic = topic }

    func handlerAdded(context: ChannelHandlerContext) { topic?.join(context) }

    func channelInactive(context: ChannelHandlerContext) {
        topic?.leave(context)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .text, .binary:
            let answer = WebSocketFrame(fin: true, opcode: frame.opcode, data: frame.unmaskedData)
            context.write(wrapOutboundOut(answer), promise: nil)
        case .connectionClose:
            context.close(promise: nil)
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
