import HTTPTypes
import NIOCore
import Synchronization

/// One request and its response: what the handler's side and the carrier's side of it have in common.
///
/// The handler sends a response, whole or piece by piece, reads content, and asks to be told of the end. The exchange
/// keeps the order of that, and has its carrier do it. When the carrier lets go of it, because the response is complete or
/// the client is gone, nothing that is still asked for has an effect.
///
/// Invariant: touched on the event loop of its connection only, which debug builds assert. What `RequestStorage` holds may
/// be read on any thread once a handler has it, and the notes are behind a lock.
package final class Exchange: RequestStorage, @unchecked Sendable {
    /// How far the response is.
    enum Progress {
        case pending
        /// A streamed response of which nothing has been sent.
        indirect case prepared(Response)
        case streaming(ResponseFraming, remaining: Int?)
        case complete
    }

    /// What carries the exchange, until it lets go of it.
    @exclusivity(unchecked) private(set) var carrier: (any ExchangeCarrier)?
    @exclusivity(unchecked) private(set) var progress = Progress.pending
    /// Whether the request is one of HEAD, so that the response has no content (RFC 9110 §9.3.2).
    package let isHeadRequest: Bool
    /// The status that was sent; 0 before the head.
    @exclusivity(unchecked) private var sentStatus = 0
    /// How many bytes of content were sent.
    @exclusivity(unchecked) private var sentBytes = 0
    /// What only some exchanges need.
    @exclusivity(unchecked) var rare: RareExchangeState?
    /// Whether middleware has noted anything; mostly it has not, and no lock is taken.
    let hasNotes = Atomic(false)
    /// What it has noted.
    let notes = Mutex<ExchangeNotes?>(nil)

    /// - Parameters:
    ///   - content: the content of the request.
    ///   - carrier: what carries the exchange, until `end`.
    package init(
        head: consuming RequestHead, isHeadRequest: Bool, content: RequestBody.Storage,
        connection: ConnectionInfo, carrier: any ExchangeCarrier
    ) {
        self.carrier = carrier
        self.isHeadRequest = isHeadRequest
        let policy = connection.policy
        super.init(
            head: head, body: content, connection: connection, bodyLimit: policy.limits.maxBodySize,
            values: policy.values)
    }

    override var exchange: Exchange? { self }

    private var loop: LoopContext { connection.loop }

    /// The content of the request as its carrier fills it; `nil` where there is none.
    package var bodyStream: BodyStream? {
        if case .stream(let stream) = body { return stream }
        return nil
    }

    /// Whether the response is complete.
    package var isComplete: Bool {
        if case .complete = progress { return true }
        return false
    }

    /// Whether nothing has been sent of the final response, so that interim ones may be (RFC 9110 §15.2).
    package var isUnsent: Bool {
        switch progress {
        case .pending, .prepared: true
        case .streaming, .complete: false
        }
    }

    /// Whether the response is still to be sent, or to be completed.
    package var isServed: Bool { carrier != nil && !isComplete }

    /// Has the request route itself in place: see `RequestStorage`.
    package var request: Request { Request(storage: self) }

    // MARK: The carrier's side

    /// The carrier lets go of the exchange: nothing that is still asked for has an effect.
    package func end() {
        guard carrier != nil else { return }
        carrier = nil
        if let bodyStream { bodyStream.detach() }
        rare = nil
    }

    /// The connection has closed before the response was complete: those who asked for it are told.
    package func clientIsGone() {
        tellEnd(isComplete: false)
        let actions = isServed ? rare?.disconnectActions ?? [] : []
        end()
        for action in actions { action() }
    }

    /// The protocol has been changed with `status`.
    package func upgraded(status: Int) {
        progress = .complete
        sentStatus = status
        tellEnd(isComplete: true)
        end()
    }

    // MARK: The handler's side

    /// Sends the response of a handler.
    ///
    /// - Returns: `false` when its content has still to be streamed, by `stream(_:)`.
    @inline(never)
    package func send(_ response: Response) -> Bool {
        if hasNotes.load(ordering: .relaxed) { return sendCompleted(complete(response)) }
        return sendCompleted(response)
    }

    @inline(__always)
    private func sendCompleted(_ response: Response) -> Bool {
        loop.eventLoop.assertInEventLoop()
        guard let carrier, !isComplete else {
            // The client has gone meanwhile.
            sentStatus = response.status.code
            sentBytes = 0
            tellEnd(isComplete: false)
            return true
        }
        if response.status.code < 200 {
            sendInterim(response, by: carrier)
            return true
        }
        if response.body.isStreamed, !isHeadRequest, response.status.allowsContent {
            progress = .prepared(response)
            return false
        }
        sendWhole(response, by: carrier)
        return true
    }

    private func sendWhole(_ response: Response, by carrier: any ExchangeCarrier) {
        sentStatus = response.status.code
        sentBytes = carrier.send(response, of: self)
        finish(by: carrier)
    }

    /// The change of protocol, where it may be, or a handler's mistake: other interim statuses end no exchange.
    private func sendInterim(_ response: Response, by carrier: any ExchangeCarrier) {
        guard let upgrade = response.upgrade else {
            return fail(InterimStatusError(status: response.status))
        }
        do {
            try carrier.perform(upgrade, fields: response.fields, of: self)
        } catch {
            fail(error)
        }
    }

    /// Sends the response to an error, before anything of another has been sent.
    func fail(_ error: any Error) {
        guard let carrier, isUnsent else { return }
        let response = connection.policy.response(to: error, of: request)
        sendWhole(hasNotes.load(ordering: .relaxed) ? complete(response) : response, by: carrier)
    }

    func finish(by carrier: any ExchangeCarrier) {
        progress = .complete
        tellEnd(isComplete: true)
        carrier.responseIsComplete(self)
    }

    /// Begins a streamed response, if that has not been done.
    ///
    /// - Throws: `CancellationError` when the exchange has ended.
    func begin() throws -> any ExchangeCarrier {
        guard let carrier else { throw CancellationError() }
        guard case .prepared(let response) = progress else { return carrier }
        sentStatus = response.status.code
        let framing = carrier.sendHead(of: response, self)
        progress = .streaming(framing, remaining: response.body.length)
        return carrier
    }

    /// Counts `bytes` against what Content-Length has announced.
    func takeFromAnnounced(_ bytes: Int) throws -> ResponseFraming {
        guard carrier != nil, case .streaming(let framing, let remaining) = progress else {
            throw CancellationError()
        }
        if let remaining {
            guard bytes <= remaining else { throw ContentLengthError(missing: remaining - bytes) }
            progress = .streaming(framing, remaining: remaining - bytes)
        }
        sentBytes &+= bytes
        return framing
    }

    /// Tells those who have asked for it that the exchange has ended.
    @inline(__always)
    private func tellEnd(isComplete: Bool) {
        guard hasNotes.load(ordering: .relaxed) else { return }
        tellObservers(ExchangeEnd(status: sentStatus, bytes: sentBytes, isComplete: isComplete))
    }
}

/// A handler has returned an interim status as its response: a mistake of the program.
struct InterimStatusError: Error, CustomStringConvertible {
    let status: HTTPResponse.Status

    var description: String { "the interim status \(status.code) cannot be a response" }
}

extension HTTPResponse.Status {
    /// Whether a response of this status may have content (RFC 9110 §6.4.1). A 205 says that it has none (§15.3.6).
    var allowsContent: Bool { code >= 200 && code != 204 && code != 205 && code != 304 }
}
