import NIOCore
import NIOHTTP1
import NIOWebSocket
import PeerSupport

/// The stock NIO pipeline: NIOHTTP1 with its default handlers and NIOWebSocket's upgrader, with a handler for each.
@main
struct Server {
    static func main() async throws {
        let arguments = Arguments()
        try await listen(arguments) { channel, topics in
            let answers = NIOLoopBound(StockAnswers(topics: topics), eventLoop: channel.eventLoop)
            let upgrader = NIOWebSocketServerUpgrader(
                maxFrameSize: 1 << 24,
                shouldUpgrade: { channel, head in
                    let known = head.uri == "/ws" || head.uri == "/sub"
                    return channel.eventLoop.makeSucceededFuture(known ? HTTPHeaders() : nil)
                },
                upgradePipelineHandler: { channel, head in
                    channel.eventLoop.makeCompletedFuture {
                        let topic = head.uri == "/sub" ? topics[channel.eventLoop] : nil
                        try channel.pipeline.syncOperations.addHandler(StockEcho(topic: topic))
                    }
                })
            return channel.pipeline.configureHTTPServerPipeline(
                withServerUpgrade: (
                    upgraders: [upgrader],
                    completionHandler: { context in
                        context.pipeline.syncOperations.removeHandler(answers.value, promise: nil)
                    }
                )
            ).flatMapThrowing {
                try channel.pipeline.syncOperations.addHandler(answers.value)
            }
        }
    }
}
