import Foundation
import NIOCore
import WSKit

/// WSKit's client under Autobahn's fuzzing server: `AutobahnClient URL AGENT plain|deflate|takeover`.
///
/// It asks how many cases there are, echoes each of them, and has the report written.
///
/// As `AutobahnClient echo URL MODE THRESHOLD` it echoes what one server sends until that server closes. MODE may
/// then be `takeover:BITS`, too, and messages of THRESHOLD octets and more go compressed. It ends with 0 only
/// after an orderly close with 1000.
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
            // A case may hold thousands of pings and of fragments of one octet; the suite is no attacker.
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

    /// Most cases end in an error on purpose: the suite judges by what it saw on the wire.
    private static func echo(at url: String, _ options: WebSocketClientOptions) async {
        do {
            try await WebSocketClient.withConnection(to: url, options) { socket in
                for try await message in socket.messages { try await socket.send(message) }
            }
        } catch {
            print("\(url): \(error)")
        }
    }

    /// Unlike a case of the suite this must go well to its end.
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
