import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

/// What the decoders make of a stream of octets.
enum Event: Equatable {
    case head(Head)
    case data([UInt8])
    case end(HTTPFields?)
    case failure(HTTPError)

    struct Head: Equatable {
        var method: String
        var target: String
        var minorVersion: Int
        var fields: [String]
        var framing: BodyFraming
        var connection: UInt8
        var expectsContinue: Bool
        var path: String
        var query: String?
        var authority: String?
        var host: String?

        init(_ head: RequestHead, _ facts: FieldFacts) {
            func text(_ range: Range<Int>) -> String { head.buffer.string(range) }
            method = head.method.rawValue
            target = text(head.target)
            minorVersion = head.version == .http10 ? 0 : 1
            fields = head.slots.map { "\(head.name($0)): \(head.value($0))" }
            framing = facts.framing
            connection = facts.connection.rawValue
            expectsContinue = facts.expectsContinue
            path = text(head.path)
            query = head.query.map(text)
            host = head.host.map(text)
            if case .absolute(let range, _, _) = head.form { authority = text(range) }
            if case .authority(let range) = head.form { authority = text(range) }
        }
    }
}

/// Reads requests with their content from pieces of a stream, as a connection does.
struct MessageReader {
    private let limits: HTTPLimits
    private var decoder: RequestDecoder
    private var body: BodyDecoder = .done
    private var isInBody = false
    private var input = ByteBuffer()
    private(set) var events: [Event] = []

    init(limits: HTTPLimits) {
        self.limits = limits
        decoder = RequestDecoder(limits: limits)
    }

    mutating func feed(_ bytes: some Sequence<UInt8>) {
        if case .failure = events.last { return }
        input.writeBytes(bytes)
        do {
            while try step() {}
        } catch {
            events.append(.failure(error))
        }
    }

    /// Whether there may be more.
    private mutating func step() throws(HTTPError) -> Bool {
        guard isInBody else {
            guard let head = try decoder.next(&input) else { return false }
            events.append(.head(Event.Head(head, decoder.facts)))
            body = BodyDecoder(decoder.facts.framing, limits: limits)
            isInBody = true
            return true
        }
        switch try body.next(&input) {
        case .needMore: return false
        case .data(let data): add(data)
        case .end(let trailers):
            events.append(.end(trailers))
            isInBody = false
        }
        return true
    }

    private mutating func add(_ data: ByteBuffer) {
        if case .data(let before) = events.last {
            events[events.count - 1] = .data(before + data.readableBytesView)
        } else {
            events.append(.data(Array(data.readableBytesView)))
        }
    }
}

/// The events of `bytes` read as a whole, having checked that they are the same in two pieces cut anywhere, octet by
/// octet, and with octets behind them.
func replay(
    _ bytes: [UInt8], limits: HTTPLimits = HTTPLimits(), sourceLocation: SourceLocation = #_sourceLocation
) -> [Event] {
    func events(_ pieces: [ArraySlice<UInt8>]) -> [Event] {
        var reader = MessageReader(limits: limits)
        for piece in pieces { reader.feed(piece) }
        return reader.events
    }
    let whole = events([bytes[...]])
    for cut in bytes.indices.dropFirst() {
        let cutEvents = events([bytes[..<cut], bytes[cut...]])
        #expect(cutEvents == whole, "cut at \(cut)", sourceLocation: sourceLocation)
        guard cutEvents == whole else { return whole }
    }
    #expect(
        events(bytes.indices.map { bytes[$0...$0] }) == whole, "octet by octet",
        sourceLocation: sourceLocation)
    if case .failure = whole.last {
        let more = events([(bytes + Array("GET / HTTP/1.1\r\nHost: h\r\n\r\n".utf8))[...]])
        #expect(more == whole, "a request behind it", sourceLocation: sourceLocation)
    }
    return whole
}

func replay(
    _ text: String, limits: HTTPLimits = HTTPLimits(), sourceLocation: SourceLocation = #_sourceLocation
)
    -> [Event]
{
    replay(Array(text.utf8), limits: limits, sourceLocation: sourceLocation)
}

/// The one head that `text` is.
func head(of text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> Event.Head {
    let events = replay(text, sourceLocation: sourceLocation)
    guard case .head(let head) = try #require(events.first, sourceLocation: sourceLocation) else {
        throw HTTPFailure(.badRequest, "\(text.debugDescription) was refused: \(events)")
    }
    return head
}

/// A case of a table: its text is its name.
struct Refused: CustomTestStringConvertible, Sendable {
    let text: String
    let error: HTTPError

    init(_ text: String, _ error: HTTPError) {
        self.text = text
        self.error = error
    }

    var testDescription: String {
        text.count > 90 ? text.prefix(90).debugDescription + "…" : text.debugDescription
    }

    /// Checks that the text is refused as it should be, however it is cut.
    func check(limits: HTTPLimits = HTTPLimits(), sourceLocation: SourceLocation = #_sourceLocation) {
        let last = replay(text, limits: limits, sourceLocation: sourceLocation).last
        #expect(last == .failure(error), "\(testDescription)", sourceLocation: sourceLocation)
    }
}
