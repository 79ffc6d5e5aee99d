import HTTPTypes
import Logging
import NIOCore

/// Answers whose content is written piece by piece.
extension HTTPConnection {
    /// Runs the writer of a streamed answer to its end.
    func stream(_ request: Request) async {
        let exchange = request.exchange
        guard exchange == self.exchange, case .prepared(let response) = answer else { return }
        do {
            switch response.body.storage {
            case .stream(_, let write): try await write(ResponseWriter(connection: self, exchange: exchange))
            case .parts(let parts): for part in parts { try await write(part, exchange: exchange) }
            case .empty, .string, .bytes: break
            }
            try loopBound { try endStream(exchange: exchange) }
        } catch {
            loopBound { failStream(error, of: request, exchange: exchange) }
        }
    }

    /// The task's executor is this loop, so user code cannot have moved it elsewhere.
    private func loopBound<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        loop.eventLoop.assertInEventLoop()
        try body()
    }

    @inline(never)
    func endStream(exchange: UInt64) throws {
        guard exchange == self.exchange, case .exchange = phase else { return }
        if case .prepared(let response) = answer {
            if let length = response.body.length, length > 0 { throw ContentLengthError(missing: length) }
            beginStream(response)
        }
        guard case .streaming(let framing, let remaining) = answer else { return }
        if let remaining, remaining > 0 { throw ContentLengthError(missing: remaining) }
        if framing == .chunked {
            let trailers = rare?.trailers
            withOut { ResponseEncoder.writeLastChunk(trailers: trailers, into: &$0) }
        }
        finishAnswer()
    }

    /// Before the first octet a failure is an ordinary answer; behind it, only the end of the connection can tell.
    @inline(never)
    private func failStream(_ error: any Error, of request: Request, exchange: UInt64) {
        guard exchange == self.exchange, case .exchange = phase else { return }
        if case .prepared = answer {
            fail(error, request)
        } else {
            logBrokenOff(error, request)
            closeNow()
        }
    }

    /// What a client does wrong is no warning, not even in the middle of a response.
    private func logBrokenOff(_ error: any Error, _ request: Request) {
        guard !(error is CancellationError) else { return }
        func metadata() -> Logger.Metadata {
            var metadata: Logger.Metadata = ["route": .clean(request.pattern), "error": .clean(error)]
            if let id = request.id { metadata["id"] = .clean(id) }
            return metadata
        }
        if error.isServerFault {
            server.logger.warning("answer broken off", metadata: metadata())
        } else {
            server.clientLog.log("answer broken off", to: server.logger, on: loop, metadata: metadata)
        }
    }

    private func beginStream(_ response: Response) {
        let framing = framing(of: response)
        writeHead(response)
        answer = .streaming(framing, remaining: response.body.length)
    }

    func writeBody(_ data: ByteBuffer, exchange: UInt64) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.writeBody(data, exchange: exchange) }
        }
        try writePiece(data, exchange: exchange)
        try await waitUntilWritable(exchange: exchange)
        if loop.spend(octets: data.readableBytes) { await passTurn() }
    }

    /// How much an encoder is given in one turn of the loop, in octets.
    private static let encodedPiece = 32 << 10

    /// Writes what `encoder` makes of `data`. Its work holds the loop, so that of much data is done in several turns.
    func writeBody(_ data: ByteBuffer, by encoder: any ContentEncoder, exchange: UInt64) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.writeBody(data, by: encoder, exchange: exchange) }
        }
        guard isServed(exchange) else { throw CancellationError() }
        let rare = rareState
        rare.encodingWrites += 1
        defer { rare.encodingWrites -= 1 }
        var rest = data
        repeat {
            guard exchange == self.exchange else { throw CancellationError() }
            let piece = rest.readSlice(length: min(rest.readableBytes, Self.encodedPiece)) ?? ByteBuffer()
            try writePiece(try encoder.encode(piece), exchange: exchange)
            try await waitUntilWritable(exchange: exchange)
            // An encoder takes longer for its octets than a copy does.
            if loop.spend(octets: Self.encodedPiece * 2) { await passTurn() }
        } while rest.readableBytes > 0
    }

    /// Writes what `encoder` has kept back.
    func finishBody(by encoder: any ContentEncoder, exchange: UInt64) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.finishBody(by: encoder, exchange: exchange) }
        }
        guard exchange == self.exchange else { throw CancellationError() }
        try writePiece(try encoder.finish(), exchange: exchange)
    }

    /// Sends the head, if that has not been done, and what has gathered.
    func flushBody(exchange: UInt64) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.flushBody(exchange: exchange) }
        }
        try openAnswer(exchange: exchange)
        flush()
        try await waitUntilWritable(exchange: exchange)
    }

    /// Lets the other connections of the loop go first: a client that reads as fast as a handler writes never makes it
    /// wait.
    func passTurn() async {
        await withUnsafeContinuation { continuation in loop.giveWay { continuation.resume() } }
    }

    /// Writes the head, if that has not been done.
    func openAnswer(exchange: UInt64) throws {
        guard exchange == self.exchange, case .exchange = phase else { throw CancellationError() }
        if case .prepared(let response) = answer { beginStream(response) }
    }

    /// Counts `octets` against what Content-Length has announced.
    @discardableResult
    func takeFromAnnounced(_ octets: Int, exchange: UInt64) throws -> ResponseFraming {
        guard exchange == self.exchange, case .streaming(let framing, let remaining) = answer else {
            throw CancellationError()
        }
        if let remaining {
            guard octets <= remaining else {
                throw ContentLengthError(missing: remaining - octets)
            }
            answer = .streaming(framing, remaining: remaining - octets)
        }
        sentBodyBytes &+= octets
        return framing
    }

    @inline(never)
    func writePiece(_ data: ByteBuffer, exchange: UInt64) throws {
        try openAnswer(exchange: exchange)
        let framing = try takeFromAnnounced(data.readableBytes, exchange: exchange)
        guard data.readableBytes > 0 else { return }
        if framing == .chunked {
            withOut { ResponseEncoder.writeChunkHead(data.readableBytes, into: &$0) }
            write(data)
            withOut { $0.writeStaticString("\r\n") }
        } else {
            write(data)
        }
        if let out, out.readableBytes > limits.writeBufferSize / 4 { flush() }
    }

    private func waitUntilWritable(exchange: UInt64) async throws {
        guard let channel = context?.channel, !channel.isWritable else { return }
        flush()
        while exchange == self.exchange, !channel.isWritable {
            try Task.checkCancellation()
            await withTaskCancellationHandler {
                await withUnsafeContinuation { writeWaiters.append($0) }
            } onCancel: {
                // Never at once: the canceller may be in the middle of a change of this state.
                loop.eventLoop.execute { self.loop.turn { self.resumeWriters() } }
            }
        }
        guard exchange == self.exchange else { throw CancellationError() }
    }

    func resumeWriters() {
        guard !writeWaiters.isEmpty else { return }
        let waiters = writeWaiters
        writeWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    func setTrailers(_ trailers: HTTPFields, exchange: UInt64) {
        guard loop.eventLoop.inEventLoop else {
            return loop.eventLoop.execute { self.setTrailers(trailers, exchange: exchange) }
        }
        if isServed(exchange) { rareState.trailers = trailers }
    }

    /// Sends an interim answer such as 103 (RFC 8297) before the answer itself; HTTP/1.0 knows none.
    func sendInterim(_ status: HTTPResponse.Status, fields: HTTPFields, exchange: UInt64) {
        guard exchange == self.exchange, case .exchange = phase, isAnswerUnsent, minorVersion > 0 else {
            return
        }
        guard status.code > 101, status.code < 200 else { return }
        withOut { ResponseEncoder.writeInterim(status: status, fields: fields, into: &$0) }
    }
}

/// A handler wrote more or less than it had announced (RFC 9110 §8.6): a mistake of the program, not of a client.
package struct ContentLengthError: Error, CustomStringConvertible {
    /// What was missing; negative when there was too much.
    let missing: Int

    package init(missing: Int) { self.missing = missing }

    package var description: String {
        missing > 0
            ? "\(missing) octets less than the announced length were written"
            : "\(missing.magnitude) octets more than the announced length were written"
    }
}
