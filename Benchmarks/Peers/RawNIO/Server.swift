import NIOCore
import PeerSupport

/// The floor: a hand-written NIO handler that sends fixed bytes. The targets of the benchmarks are ratios to it, so it does
/// only what the protocol requires: no parser, no router, and only the headers that a client needs.
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
