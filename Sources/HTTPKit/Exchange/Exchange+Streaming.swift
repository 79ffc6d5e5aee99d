import HTTPTypes
import Logging
import NIOCore

/// Responses whose content is written piece by piece.
extension Exchange {
    private var loop: LoopContext { connection.loop }

    /// Writes the content of the response that `send(_:)` has left to be streamed, to its end.
    package func stream() async {
        guard let error = await streamed() else { return }
        guard isServed, isUnsent else { return loopBound { failStream(error) } }
        let response = await connection.policy.handledResponse(to: error, of: request)
        // Meanwhile the client may have gone.
        guard isServed, isUnsent, !send(response) else { return }
        if let error = await streamed() { loopBound { failStream(error) } }
    }

    /// - Returns: the error that has stopped it.
    private func streamed() async -> (any Error)? {
        guard isServed, case .prepared(let response) = progress else { return nil }
        do {
            switch response.body.storage {
            case .stream(_, let write): try await write(ResponseWriter(exchange: self))
            case .parts(let parts): for part in parts { try await write(part) }
            case .empty, .string, .bytes: break
            }
            try loopBound { try endStream() }
            return nil
        } catch {
            return error
        }
    }

    /// The task's executor is this loop, so user code cannot have moved it elsewhere.
    private func loopBound<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        loop.eventLoop.assertInEventLoop()
        try body()
    }

    @inline(never)
    func endStream() throws {
        guard isServed else { return }
        if case .prepared(let response) = progress, let length = response.body.length, length > 0 {
            throw ContentLengthError(missing: length)
        }
        let carrier = try begin()
        guard case .streaming(let framing, let remaining) = progress else { return }
        if let remaining, remaining > 0 { throw ContentLengthError(missing: remaining) }
        carrier.endContent(framing, trailers: rare?.trailers)
        finish(by: carrier)
    }

    /// Before the first byte a failure is an ordinary response; behind it, only the end of the connection can tell.
    @inline(never)
    private func failStream(_ error: any Error) {
        guard isServed else { return }
        if isUnsent {
            fail(error)
        } else {
            logBrokenOff(error)
            carrier?.breakOff(self)
        }
    }

    /// What a client does wrong is no warning, not even in the middle of a response.
    private func logBrokenOff(_ error: any Error) {
        guard !(error is CancellationError) else { return }
        let request = request
        func metadata() -> Logger.Metadata {
            var metadata: Logger.Metadata = ["route": .clean(request.pattern), "error": .clean(error)]
            if let id = request.id { metadata["id"] = .clean(id) }
            return metadata
        }
        let policy = connection.policy
        if error.isServerFault {
            policy.logger.warning("response broken off", metadata: metadata())
        } else {
            policy.clientLog.log("response broken off", to: policy.logger, on: loop, metadata: metadata)
        }
    }

    // MARK: Writing

    func writeBody(_ data: ByteBuffer) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.writeBody(data) }
        }
        let carrier = try writePiece(data)
        if !carrier.isWritable { try await waitUntilWritable() }
        if loop.spend(bytes: data.readableBytes) { await loop.passTurn() }
    }

    private func waitUntilWritable() async throws {
        guard let carrier else { throw CancellationError() }
        try await carrier.waitUntilWritable(self)
        guard self.carrier != nil else { throw CancellationError() }
    }

    /// How much an encoder is given in one turn of the loop, in bytes.
    private static let encodedPiece = 32 << 10

    /// Writes what `encoder` makes of `data`. Its work holds the loop, so that of much data is done in several turns.
    func writeBody(_ data: ByteBuffer, by encoder: any ContentEncoder) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.writeBody(data, by: encoder) }
        }
        guard isServed else { throw CancellationError() }
        let rare = rareState
        rare.encodingWrites += 1
        defer { rare.encodingWrites -= 1 }
        var rest = data
        repeat {
            guard isServed else { throw CancellationError() }
            let piece = rest.readSlice(length: min(rest.readableBytes, Self.encodedPiece)) ?? ByteBuffer()
            let carrier = try writePiece(try encoder.encode(piece))
            if !carrier.isWritable { try await waitUntilWritable() }
            // An encoder takes longer for its bytes than a copy does.
            if loop.spend(bytes: Self.encodedPiece * 2) { await loop.passTurn() }
        } while rest.readableBytes > 0
    }

    /// Writes what `encoder` has kept back.
    func finishBody(by encoder: any ContentEncoder) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.finishBody(by: encoder) }
        }
        guard isServed else { throw CancellationError() }
        try writePiece(try encoder.finish())
    }

    /// Sends the head, if that has not been done, and what has gathered.
    func flushBody() async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.flushBody() }
        }
        guard isServed else { throw CancellationError() }
        let carrier = try begin()
        carrier.flush()
        if !carrier.isWritable { try await waitUntilWritable() }
    }

    @discardableResult
    @inline(never)
    func writePiece(_ data: ByteBuffer) throws -> any ExchangeCarrier {
        let carrier = try begin()
        let framing = try takeFromAnnounced(data.readableBytes)
        if data.readableBytes > 0 { carrier.write(data, framing) }
        return carrier
    }

    func setTrailers(_ trailers: HTTPFields) {
        guard loop.eventLoop.inEventLoop else {
            return loop.eventLoop.execute { self.setTrailers(trailers) }
        }
        if isServed { rareState.trailers = trailers }
    }

    /// Sends an interim response such as 103 (RFC 8297) before the response itself.
    func sendInterim(_ status: HTTPResponse.Status, fields: HTTPFields) {
        guard loop.eventLoop.inEventLoop else {
            return loop.eventLoop.execute { self.sendInterim(status, fields: fields) }
        }
        guard let carrier, isUnsent, status.code > 101, status.code < 200 else { return }
        carrier.sendInterim(status, fields: fields)
    }

    // MARK: Files

    /// How much of a file is handed to the channel at once, in bytes.
    private static let fileStretch = 1 << 20
    /// The same where the file is read into a buffer.
    private static let copyStretch = 64 << 10

    private func write(_ part: ResponseBody.Part) async throws {
        switch part {
        case .bytes(let buffer): try await writeBody(buffer)
        case .file(let slice): try await write(slice)
        }
    }

    private func write(_ slice: FileSlice) async throws {
        var sent = 0
        let carrier = try begin()
        guard carrier.sendsFiles else { return try await copy(slice) }
        while sent < slice.length {
            let count = min(Self.fileStretch, slice.length - sent)
            _ = try takeFromAnnounced(count)
            try await carrier.write(slice, offset: slice.offset + sent, count: count)
            sent += count
            if sent < slice.length, loop.spend(bytes: count) { await loop.passTurn() }
        }
    }

    /// Sends a file that cannot be handed to the channel as it is, since what is sent is encrypted or framed.
    private func copy(_ slice: FileSlice) async throws {
        var sent = 0
        while sent < slice.length {
            let data = try slice.read(from: sent, atMost: Self.copyStretch)
            sent += data.readableBytes
            try await writeBody(data)
        }
    }
}

/// A handler wrote more or less than it had announced (RFC 9110 §8.6): a mistake of the program, not of a client.
package struct ContentLengthError: Error, CustomStringConvertible {
    /// What was missing; negative when there was too much.
    let missing: Int

    package init(missing: Int) { self.missing = missing }

    package var description: String {
        missing > 0
            ? "\(missing) bytes less than the announced length were written"
            : "\(missing.magnitude) bytes more than the announced length were written"
    }
}
