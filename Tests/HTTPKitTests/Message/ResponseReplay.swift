import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

/// What a client makes of the octets that a server has sent up to the end of its answer.
struct Answer: Equatable {
    /// How far it is.
    enum End: Equatable {
        /// More is needed.
        case open
        /// It is whole.
        case whole(trailers: HTTPFields?)
        case failed(HTTPError)
    }

    var status: Int?
    var fields: [String] = []
    var framing: ResponseFraming?
    var content: [UInt8] = []
    var end: End = .open

    var text: String { String(decoding: content, as: UTF8.self) }
    var isWhole: Bool { if case .whole = end { true } else { false } }
}

/// Reads one answer from pieces of a stream, as a client does.
struct AnswerReader {
    private let method: HTTPRequest.Method
    private var decoder: ResponseDecoder
    private var chunks: ChunkedDecoder
    private var remaining = 0
    private(set) var answer = Answer()
    /// What has come and is not of the answer, or not read yet.
    private(set) var rest = ByteBuffer()

    init(answering method: HTTPRequest.Method, limits: HTTPLimits) {
        self.method = method
        decoder = ResponseDecoder(limits: limits)
        chunks = ChunkedDecoder(limits: limits)
    }

    mutating func feed(_ bytes: some Sequence<UInt8>) {
        rest.writeBytes(bytes)
        guard case .open = answer.end else { return }
        do throws(HTTPError) {
            if answer.status == nil { try readHead() }
            try readContent()
        } catch {
            answer.end = .failed(error)
        }
    }

    /// The server closes the connection.
    mutating func close() {
        if case .open = answer.end, answer.framing == .untilClose { answer.end = .whole(trailers: nil) }
    }

    private mutating func readHead() throws(HTTPError) {
        guard let head = try decoder.next(&rest) else { return }
        answer.status = head.status
        answer.fields = head.fields.map { "\($0.name.rawName): \($0.value)" }
        let framing = try head.framing(answering: method)
        answer.framing = framing
        if case .length(let length) = framing { remaining = length }
    }

    private mutating func readContent() throws(HTTPError) {
        switch answer.framing {
        case nil: return
        case .noContent: answer.end = .whole(trailers: nil)
        case .length:
            let piece = rest.readBytes(length: min(remaining, rest.readableBytes)) ?? []
            answer.content += piece
            remaining -= piece.count
            if remaining == 0 { answer.end = .whole(trailers: nil) }
        case .untilClose: answer.content += rest.readBytes(length: rest.readableBytes) ?? []
        case .chunked:
            while true {
                switch try chunks.next(&rest) {
                case .needMore: return
                case .data(let data): answer.content += data.readableBytesView
                case .end(let trailers):
                    answer.end = .whole(trailers: trailers)
                    return
                }
            }
        }
    }
}

/// What `text` is as an answer, having checked that it is the same in two pieces cut anywhere, octet by octet, and
/// with octets behind it, which are left unread unless only the end of the connection ends the answer.
func replayAnswer(
    _ bytes: [UInt8], answering method: HTTPRequest.Method = .get, limits: HTTPLimits = HTTPLimits(),
    sourceLocation: SourceLocation = #_sourceLocation
) -> Answer {
    func read(_ pieces: [ArraySlice<UInt8>], closing: Bool = true) -> (Answer, rest: [UInt8]) {
        var reader = AnswerReader(answering: method, limits: limits)
        for piece in pieces { reader.feed(piece) }
        if closing { reader.close() }
        return (reader.answer, Array(reader.rest.readableBytesView))
    }
    let (whole, left) = read([bytes[...]])
    for cut in bytes.indices.dropFirst() {
        let (answer, _) = read([bytes[..<cut], bytes[cut...]])
        #expect(answer == whole, "cut at \(cut)", sourceLocation: sourceLocation)
        guard answer == whole else { return whole }
    }
    #expect(
        read(bytes.indices.map { bytes[$0...$0] }).0 == whole, "octet by octet",
        sourceLocation: sourceLocation)
    let next = Array("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx".utf8)
    if case .open = whole.end { return whole }
    let (more, rest) = read([(bytes + next)[...]])
    guard whole.framing != .untilClose else {
        #expect(more.content == whole.content + next, sourceLocation: sourceLocation)
        return whole
    }
    #expect(more == whole, "octets behind it", sourceLocation: sourceLocation)
    if whole.isWhole { #expect(rest == left + next, "they are left", sourceLocation: sourceLocation) }
    return whole
}

func replayAnswer(
    _ text: String, answering method: HTTPRequest.Method = .get, limits: HTTPLimits = HTTPLimits(),
    sourceLocation: SourceLocation = #_sourceLocation
) -> Answer {
    replayAnswer(Array(text.utf8), answering: method, limits: limits, sourceLocation: sourceLocation)
}
