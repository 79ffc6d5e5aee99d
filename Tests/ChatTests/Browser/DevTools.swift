import FoundationEssentials
import WSKit

/// A command of Chromium's DevTools protocol, with what it is answered with.
protocol DevToolsCommand: Encodable, Sendable {
    associatedtype Answer: Decodable & Sendable
    /// `Page.navigate`.
    static var method: String { get }
}

/// Why the browser did not do it.
enum DevToolsError: Error, CustomStringConvertible {
    case refused(method: String, reason: String)
    case noAnswer(method: String)
    case closed(method: String)

    var description: String {
        switch self {
        case .refused(let method, let reason): "the browser refused \(method): \(reason)"
        case .noAnswer(let method): "the browser did not answer \(method) within \(patience)"
        case .closed(let method): "the browser was gone before it answered \(method)"
        }
    }
}

/// The browser's DevTools socket: commands with their answers, and events, of all its tabs.
actor DevTools {
    /// An event that a tab has sent.
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

    private struct Reply<Answer: Decodable>: Decodable {
        let result: Answer
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

    /// Connects to the address that the browser has printed.
    static func connect(to address: String) async throws -> DevTools {
        // A screenshot is one message.
        var options = WebSocketClientOptions.patient
        options.limits.maxMessageSize = 32 << 20
        let tools = DevTools(socket: try await WebSocketClient.connect(to: address, options))
        Task { await tools.receive() }
        return tools
    }

    func close() async { await socket.close() }

    /// Sends a command and waits for its answer.
    ///
    /// - Parameter session: the tab's; nil for the browser.
    func call<Command: DevToolsCommand>(
        _ command: Command, session: String? = nil
    ) async throws -> Command.Answer {
        guard !isClosed else { throw DevToolsError.closed(method: Command.method) }
        lastID += 1
        let id = lastID
        let data = try JSONEncoder().encode(
            Call(id: id, method: Command.method, params: command, sessionId: session))
        methods[id] = Command.method
        let watch = Task {
            try await Task.sleep(for: patience)
            end(id, .failure(DevToolsError.noAnswer(method: Command.method)))
        }
        defer { watch.cancel() }
        let answer = try await withCheckedThrowingContinuation { continuation in
            waiting[id] = continuation
            Task { [socket] in
                do {
                    try await socket.send(String(decoding: data, as: UTF8.self))
                } catch {
                    end(id, .failure(error))
                }
            }
        }
        return try JSONDecoder().decode(Reply<Command.Answer>.self, from: Data(answer.utf8)).result
    }

    private func end(_ id: Int, _ result: Result<String, any Error>) {
        methods[id] = nil
        waiting.removeValue(forKey: id)?.resume(with: result)
    }

    private func receive() async {
        do {
            for try await text in socket.texts { try received(text) }
        } catch {
            // The end is told below, to each who waits.
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
                    id, .failure(DevToolsError.refused(method: methods[id] ?? "", reason: error.message)))
            } else {
                end(id, .success(text))
            }
        }
    }

    /// The parameters of the events of one kind that a tab has sent so far.
    func events<Params: Decodable>(
        _ method: String, of session: String, as type: Params.Type
    ) throws -> [Params] {
        return try events.filter { $0.method == method && $0.session == session }.map {
            try JSONDecoder().decode(Parameters<Params>.self, from: Data($0.json.utf8)).params
        }
    }
}
