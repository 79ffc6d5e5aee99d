import HTTPKit
import HTTPTypes
import Logging
import NIOCore

/// A block that asked for nothing but what was in the table, and the request that it was: a client that sends the same
/// block again asks for the same, as long as the table has not changed.
struct KnownBlock {
    let bytes: ByteBuffer
    let changes: Int
    let message: RequestMessage

    /// Longer blocks are not kept.
    static let maxSize = 1024
}

/// From field blocks to requests (RFC 9113 §8.3).
extension HTTP2Connection {
    /// A whole block has arrived: a request, or the trailer section of one.
    func receiveBlock(
        _ block: ByteBuffer, on id: UInt32, endsStream: Bool
    ) throws(HTTP2Error) {
        if let stream = streams[id] {
            let section = try decode(block)
            return try stream.receiveTrailers(section, endsStream: endsStream)
        }
        guard id > lastStream else {
            // The table must see the block, whatever becomes of it.
            _ = try decode(block)
            if resetStreams.contains(id) { return }
            throw .connection(.streamClosed, "HEADERS on a closed stream")
        }
        lastStream = id
        let request = try request(block)
        if case .final = goingAway { return }
        guard running < limits.maxConcurrentStreams, streams.count < limits.maxConcurrentStreams else {
            throw .stream(id, .refusedStream, "more than \(limits.maxConcurrentStreams) streams at once")
        }
        switch request {
        case .success(let message): try serve(message, on: id, endsStream: endsStream)
        case .failure(.malformed(let reason)): throw .stream(id, .protocolError, reason)
        case .failure(.refused(let error)): refuse(error, on: id, endsStream: endsStream)
        }
    }

    private func decode(_ block: ByteBuffer) throws(HTTP2Error) -> FieldSection {
        let limits = server.limits
        var section = FieldSection(
            maxSize: max(0, limits.maxFieldSectionSize).addingClamped(max(0, limits.maxTargetLength)),
            maxCount: max(0, limits.maxFieldCount).addingClamped(Self.pseudoFields))
        do throws(HPACKError) {
            try decoder.decode(block.readableBytesUInt8Span, into: &section)
        } catch {
            throw .connection(.compressionError, error.reason)
        }
        return section
    }

    /// Pseudo-header fields do not count among the fields.
    private static let pseudoFields = 5

    /// The request that a block is. One that was just read again is not read anew.
    private func request(_ block: ByteBuffer) throws(HTTP2Error) -> Result<RequestMessage, RequestFault> {
        if let last = input.lastRequest, last.changes == decoder.changes, last.bytes == block {
            return .success(last.message)
        }
        let before = decoder.changes
        let section = try decode(block)
        switch section.overflow {
        case .target: return .failure(.refused(.targetTooLong(limit: server.limits.maxTargetLength)))
        case .size:
            return .failure(.refused(.fieldSectionTooLarge(limit: server.limits.maxFieldSectionSize)))
        case .count: return .failure(.refused(.tooManyFields(limit: server.limits.maxFieldCount)))
        case nil: break
        }
        do throws(RequestFault) {
            let message = try RequestSection.read(section, limits: server.limits)
            let isKept = decoder.changes == before && block.readableBytes <= KnownBlock.maxSize
            input.lastRequest =
                isKept
                ? KnownBlock(
                    bytes: ByteBuffer(bytes: block.readableBytesView), changes: before, message: message)
                : nil
            return .success(message)
        } catch {
            return .failure(error)
        }
    }

    private func serve(
        _ message: RequestMessage, on id: UInt32, endsStream: Bool
    ) throws(HTTP2Error) {
        guard let info = connectionInfo else { return transport.close() }
        if endsStream, let length = message.contentLength, length > 0 {
            throw .stream(id, .protocolError, "content-length is \(length), but there is no content")
        }
        requestCount += 1
        loop.statistics.requests &+= 1
        let stream = HTTP2Stream(
            id: id, connection: self, isHeadRequest: message.head.method == .head, endsStream: endsStream)
        streams[id] = stream
        if requestCount >= server.maxRequests { goAway() }
        let exchange = stream.makeExchange(message, info: info)
        running += 1
        let worker = workers.take()
        stream.worker = worker
        // Most requests are done when this returns.
        worker.serve(exchange, of: stream)
    }

    private var connectionInfo: ConnectionInfo? {
        if info == nil, let channel = transport.channel {
            info = ConnectionInfo(
                remoteAddress: channel.remoteAddress, session: session, loop: loop, policy: server.policy)
        }
        return info
    }

    /// Responds to a request that has no handler.
    private func refuse(_ error: HTTPError, on id: UInt32, endsStream: Bool) {
        server.clientLog.log("request refused", to: server.logger, on: loop) {
            ["reason": .clean(error.message), "status": "\(error.status.code)"]
        }
        server.onRefused?(error)
        let stream = HTTP2Stream(id: id, connection: self, isHeadRequest: false, endsStream: endsStream)
        streams[id] = stream
        stream.respond(server.policy.response(to: error, of: nil))
    }
}
