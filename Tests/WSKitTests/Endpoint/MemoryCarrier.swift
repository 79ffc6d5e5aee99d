import HTTPKit
import HTTPTypes
import Logging
import NIOCore
import NIOEmbedded

@testable import WSKit

/// A carrier that is no HTTP/1.1 connection: a test hands it requests, and looks at what it was asked to send.
///
/// It uses nothing of HTTPKit but what another module may use.
///
/// Invariant: used on the test's thread, which is the thread of its event loop.
final class MemoryCarrier: ExchangeCarrier, RequestSource {
    /// What was sent.
    struct Sent: Equatable {
        var interim: [Int] = []
        var status: Int?
        var fields: HTTPFields = [:]
        var content = ""
        var trailers: HTTPFields?
        var isComplete = false
        var isBroken = false
    }

    let wire: EmbeddedWire
    private let info: ConnectionInfo
    private let responder: Responder
    private var exchange: Exchange?
    private var worker: Worker?
    private var unread: [ByteBuffer] = []
    private var writers: [UnsafeContinuation<Void, Never>] = []
    private var isInputClosed = false
    private(set) var sent = Sent()
    private(set) var isUpgraded = false
    /// Whether the handler waits for content.
    private(set) var isContentWanted = false
    var isWritable = true

    init(_ routes: Routes, values: RequestValues = RequestValues(), on neighbour: MemoryCarrier? = nil) throws
    {
        wire = try EmbeddedWire(on: neighbour?.wire)
        info = ConnectionInfo(
            remoteAddress: nil, loop: wire.loop,
            policy: ServerPolicy(limits: HTTPLimits(), logger: .silent, values: values))
        responder = .router(try routes.routes.table.router())
    }

    var channel: EmbeddedChannel { wire.channel }
    private var loop: LoopContext { wire.loop }

    // MARK: The test's side

    /// Serves a request as far as that is possible without waiting.
    ///
    /// - Parameter hasContent: whether `push` and `endContent` follow.
    func request(
        _ method: HTTPRequest.Method, _ path: String, fields: HTTPFields = [:], hasContent: Bool = false,
        connectProtocol: String? = nil
    ) throws {
        let head = try RequestHead(
            version: .http2, method: method, authority: "example.com", path: path, fields: fields,
            connectProtocol: connectProtocol)
        sent = Sent()
        let exchange = Exchange(
            head: head, isHeadRequest: method == .head,
            content: hasContent
                ? .stream(BodyStream(declaredLength: nil, loop: loop, carrier: self)) : .empty,
            connection: info, carrier: self)
        self.exchange = exchange
        loop.turn {
            let worker = WorkerPool.of(loop).take()
            self.worker = worker
            worker.serve(exchange, of: self)
        }
        settle()
    }

    func push(_ text: String) {
        loop.turn { exchange?.bodyStream?.push(ByteBuffer(string: text)) }
        settle()
    }

    func endContent(trailers: HTTPFields? = nil) {
        loop.turn { exchange?.bodyStream?.end(trailers: trailers) }
        settle()
    }

    func clientIsGone() {
        loop.turn {
            exchange?.clientIsGone()
            exchange = nil
            resumeWriters()
            worker?.cancel()
            worker = nil
        }
        settle()
    }

    func resumeTaking() {
        isWritable = true
        loop.turn { resumeWriters() }
        settle()
    }

    func settle() { wire.run() }

    private func resumeWriters() {
        let waiting = writers
        writers = []
        for writer in waiting { writer.resume() }
    }

    // MARK: The response

    func send(_ response: Response, of exchange: Exchange) -> Int {
        sent.status = response.status.code
        sent.fields = response.fields
        if !exchange.isHeadRequest {
            switch response.body.storage {
            case .string(let text): sent.content = text
            case .bytes(let buffer): sent.content = String(buffer: buffer)
            case .empty, .stream, .parts: break
            }
        }
        return sent.content.utf8.count
    }

    func sendHead(of response: Response, _ exchange: Exchange) -> ResponseFraming {
        sent.status = response.status.code
        sent.fields = response.fields
        return response.body.length.map { .length($0) } ?? .untilClose
    }

    func write(_ data: ByteBuffer, _ framing: ResponseFraming) { sent.content += String(buffer: data) }

    var sendsFiles: Bool { false }
    func write(_ file: FileSlice, offset: Int, count: Int) async throws {
        throw ChannelError.operationUnsupported
    }

    func endContent(_ framing: ResponseFraming, trailers: HTTPFields?) { sent.trailers = trailers }
    func sendInterim(_ status: HTTPResponse.Status, fields: HTTPFields) { sent.interim.append(status.code) }
    func flush() {}

    func waitUntilWritable(_ exchange: Exchange) async throws {
        while exchange.isServed, !isWritable {
            try Task.checkCancellation()
            await withUnsafeContinuation { writers.append($0) }
        }
    }

    func responseIsComplete(_ exchange: Exchange) {
        sent.isComplete = true
        exchange.end()
    }

    func breakOff(_ exchange: Exchange) {
        sent.isBroken = true
        exchange.clientIsGone()
    }

    func stopHandler(of exchange: Exchange) { worker?.cancel() }

    func perform(_ upgrade: Upgrade, fields: HTTPFields, of exchange: Exchange) throws {
        sent.status = 200
        sent.fields = fields
        isUpgraded = true
        exchange.upgraded(status: 200)
        upgrade.start(
            UpgradedConnection(channel: channel, connection: info, unread: ByteBuffer(), isInputClosed: false)
        )
    }

    // MARK: The content of the request

    func contentIsWanted() { isContentWanted = true }
    func contentIsNotWanted() { isContentWanted = false }
    func contentWasRead() { isContentWanted = false }

    // MARK: The requests

    var handlerScope: HandlerScope? { nil }
    func handler(for request: Request) -> Handler { responder.handler(for: request) }
    var hasInput: Bool { false }
    func nextExchange(for worker: Worker) -> Exchange? { nil }
    func goOn(without worker: Worker) { self.worker = nil }
}
