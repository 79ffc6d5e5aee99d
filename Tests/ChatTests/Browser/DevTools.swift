import FoundationEssentials
import WSKit

/// A command of Chromium's DevTools protocol, with its parameters and its result.
protocol DevToolsCommand: Encodable, Sendable {
    associatedtype Output: Decodable & Sendable
    /// The name, such as `Page.navigate`.
    static var method: String { get }
}

/// Why a command failed.
enum DevToolsError: Error, CustomStringConvertible {
    case failed(method: String, reason: String)
    case noResult(method: String)
    case closed(method: String)

    var description: String {
        switch self {
        case .failed(let method, let reason): "\(method) failed: \(reason)"
        case .noResult(let method): "the browser sent no result for \(method) within \(patience)"
        case .closed(let method): "the browser closed the socket before the result of \(method)"
        }
    }
}

/// The browser's DevTools socket: the commands, results and events of all tabs.
actor DevTools {
    /// An event of a tab.
    struct Event: Sendable {
        let method: String
        let session: String?
        let json: String
    }

    private struct Envelope: Decodable {
        struct Failure: Decodable { let message: String }
        let id: Int?
        let method: String?
        let sessionId: String?
        let error: Failure?
    }

    private struct Call<Params: Encodable>: Encodable {
        let id: Int
        let method: String
        let params: Params
        let sessionId: String?
    }

    private struct Reply<Output: Decodable>: Decodable {
        let result: Output
    }

    private struct Parameters<Params: Decodable>: Decodable {
        let params: Params
    }

    private let socket: WebSocket
    private var lastID = 0
    private var waiting: [Int: CheckedContinuation<String, any Error>] = [:]
    private var methods: [Int: String] = [:]
    private var isClosed = false
    private(set) var events: [Event] = []

    private init(socket: WebSocket) { self.socket = socket }

    /// Connects to the address that the browser printed.
    static func connect(to address: String) async throws -> DevTools {
        // A screenshot is one large message.
        var options = WebSocketClientOptions.patient
        options.limits.maxMessageSize = 32 << 20
        let tools = DevTools(socket: try await WebSocketClient.connect(to: address, options))
        Task { await tools.receive() }
        return tools
    }

    func close() async { await socket.close() }

    /// Sends a command and waits for its result.
    ///
    /// - Parameter session: the tab's session, or `nil` for the browser.
    func call<Command: DevToolsCommand>(
        _ command: Command, session: String? = nil
    ) async throws -> Command.Output {
        guard !isClosed else { throw DevToolsError.closed(method: Command.method) }
        lastID += 1
        let id = lastID
        let data = try JSONEncoder().encode(
            Call(id: id, method: Command.method, params: command, sessionId: session))
        methods[id] = Command.method
        let watch = Task {
            try await Task.sleep(for: patience)
            end(id, .failure(DevToolsError.noResult(method: Command.method)))
        }
        defer { watch.cancel() }
        let output = try await withCheckedThrowingContinuation { continuation in
            waiting[id] = continuation
            Task { [socket] in
                do {
                    try await socket.send(String(decoding: data, as: UTF8.self))
                } catch {
                    end(id, .failure(error))
                }
            }
        }
        return try JSONDecoder().decode(Reply<Command.Output>.self, from: Data(output.utf8)).result
    }

    private func end(_ id: Int, _ result: Result<String, any Error>) {
        methods[id] = nil
        waiting.removeValue(forKey: id)?.resume(with: result)
    }

    private func receive() async {
        do {
            for try await text in socket.texts { try received(text) }
        } catch {
            // All waiting calls fail below.
        }
        isClosed = true
        for id in Array(waiting.keys) {
            end(id, .failure(DevToolsError.closed(method: methods[id] ?? "")))
        }
    }

    private func received(_ text: String) throws {
        let envelope = try JSONDecoder().decode(Envelope.self, from: Data(text.utf8))
        if let method = envelope.method {
            events.append(Event(method: method, session: envelope.sessionId, json: text))
        } else if let id = envelope.id {
            if let error = envelope.error {
                end(
                    id, .failure(DevToolsError.failed(method: methods[id] ?? "", reason: error.message)))
            } else {
                end(id, .success(text))
            }
        }
    }

    /// The parameters of a tab's events of one kind so far.
    func events<Params: Decodable>(
        _ method: String, of session: String, as type: Params.Type
    ) throws -> [Params] {
        return try events.filter { $0.method == method && $0.session == session }.map {
            try JSONDecoder().decode(Parameters<Params>.self, from: Data($0.json.utf8)).params
        }
    }
}
