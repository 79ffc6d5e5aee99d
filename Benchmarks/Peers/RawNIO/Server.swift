import NIOCore
import PeerSupport

/// The floor: what one hand-written NIO handler costs that answers fixed bytes. The targets of the
/// bench are ratios to it, so it does what the wire demands and nothing else: no parser, no router,
/// no header but those a client needs.
@main
struct Server {
    static func main() async throws {
        let arguments = Arguments()
        try await listen(arguments) { channel, topics in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    FixedAnswers(topics: topics, staticFolder: arguments.staticFolder))
            }
        }
    }
}
