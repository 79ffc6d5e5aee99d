import Foundation
import NIOCore
import WSKit

/// WSKit's client for Autobahn's fuzzing server: `AutobahnClient URL AGENT plain|deflate|takeover`.
///
/// It requests the number of cases, echoes the messages of each case, and requests the report.
///
/// `AutobahnClient echo URL MODE THRESHOLD` echoes the messages of one server until that server closes. MODE may also
/// be `takeover:BITS`, and messages of THRESHOLD bytes or more are compressed. It exits with 0 only after a clean close
/// with 1000.
@main struct AutobahnClient {
    static func main() async throws {
        let arguments = CommandLine.arguments
        if arguments.count == 5, arguments[1] == "echo", let threshold = Int(arguments[4]),
            var options = options(mode: arguments[3])
        {
            options.deflate = options.deflate.threshold(threshold)
            try await echoUntilClosed(arguments[2], options)
            return
        }
        guard arguments.count == 4, let options = options(mode: arguments[3]) else {
            FileHandle.standardError.write(
                Data(
                    """
                    usage: AutobahnClient URL AGENT plain|deflate|takeover
                           AutobahnClient echo URL plain|deflate|takeover[:BITS] THRESHOLD

                    """.utf8))
            exit(2)
        }
        let (url, agent) = (arguments[1], arguments[2])
        let count = try await caseCount(at: "\(url)/getCaseCount", options)
        for number in 1...max(1, count) {
            await echo(at: "\(url)/runCase?case=\(number)&agent=\(agent)", options)
        }
        try await WebSocketClient.withConnection(to: "\(url)/updateReports?agent=\(agent)", options) {
            socket in
            for try await _ in socket.messages {}
        }
        print("\(count) cases")
    }

    private static func options(mode: String) -> WebSocketClientOptions? {
        let deflate: DeflateMode
        switch mode {
        case "plain": deflate = .off
        case "deflate": deflate = .shared
        case "takeover": deflate = .contextTakeover()
        default:
            guard mode.hasPrefix("takeover:"), let bits = Int(mode.dropFirst(9)) else { return nil }
            deflate = .contextTakeover(windowBits: bits)
        }
        return WebSocketClientOptions {
            $0.deflate = deflate
            $0.limits.maxMessageSize = 64 << 20
            // A case may contain thousands of pings, or of fragments of one byte.
            $0.limits.maxControlFramesPerSecond = .max
            $0.limits.maxTinyFragments = .max
        }
    }

    private static func caseCount(at url: String, _ options: WebSocketClientOptions) async throws -> Int {
        try await WebSocketClient.withConnection(to: url, options) { socket in
            for try await text in socket.texts { return Int(text) ?? 0 }
            return 0
        }
    }

    /// Most cases end with an error on purpose. The suite judges by what it received.
    private static func echo(at url: String, _ options: WebSocketClientOptions) async {
        do {
            try await WebSocketClient.withConnection(to: url, options) { socket in
                for try await message in socket.messages { try await socket.send(message) }
            }
        } catch {
            print("\(url): \(error)")
        }
    }

    /// Unlike the cases of the suite, this must end cleanly.
    private static func echoUntilClosed(_ url: String, _ options: WebSocketClientOptions) async throws {
        try await WebSocketClient.withConnection(to: url, options) { socket in
            for try await message in socket.messages { try await socket.send(message) }
            guard let reason = await socket.closeReason, reason.isClean, reason.code == .normal else {
                print(
                    "\(url): \(await socket.closeReason?.description ?? "the messages ended before the connection")"
                )
                exit(1)
            }
        }
    }
}
