import HTTPKit
import Logging
import NIOCore

/// The end of streams and of the connection (RFC 9113 §5.4, §6.8).
extension HTTP2Connection {
    /// Ends what `error` says.
    func fail(_ error: HTTP2Error) {
        switch error {
        case .connection(let code, let reason): end(code, reason)
        case .stream(let id, let code, let reason):
            server.logger.debug("stream reset", metadata: ["reason": .clean(reason)])
            if let stream = streams[id] { stream.end(.reset) }
            reset(id, code)
            do throws(HTTP2Error) {
                try countReset()
            } catch {
                fail(error)
            }
        }
    }

    func reset(_ id: UInt32, _ code: ErrorCode) {
        resetStreams.add(id)
        transport.append { FrameWriter.writeReset(stream: id, code, into: &$0) }
    }

    /// A stream has come to its end.
    func remove(_ stream: HTTP2Stream) {
        guard streams.removeValue(forKey: stream.id) != nil else { return }
        streamsChanged()
    }

    /// A handler has ended.
    func handlerEnded() {
        running -= 1
        streamsChanged()
    }

    private func streamsChanged() {
        guard streams.isEmpty, running == 0 else { return }
        deadline = loop.now.advanced(byMilliseconds: server.idleMilliseconds)
        switch goingAway {
        case .no: if input.isClosed { close() }
        case .announced: break
        case .final: close()
        }
    }

    // MARK: GOAWAY

    /// Begins to end the connection in two steps, so that no request on its way is lost (RFC 9113 §6.8).
    func goAway() {
        guard !goingAway.hasBegun else { return }
        goingAway = .announced
        transport.append { out in
            FrameWriter.writeGoAway(lastStream: UInt32(Int32.max), .noError, "", into: &out)
            FrameWriter.writePing(Self.goAwayPing, isAck: false, into: &out)
        }
        goAwayDeadline = loop.now.advanced(byMilliseconds: Self.goAwayWait)
    }

    /// How long the answer to the PING may take, in milliseconds.
    static let goAwayWait: Int64 = 1000

    /// The client has seen the first GOAWAY, or has had its time: no stream is on its way any more.
    func goAwayWasSeen() {
        guard case .announced = goingAway else { return }
        goingAway = .final(lastStream: lastStream)
        transport.append {
            FrameWriter.writeGoAway(lastStream: lastStream, .noError, "", into: &$0)
        }
        streamsChanged()
    }

    /// Ends the connection because of what the client has done.
    func end(_ code: ErrorCode, _ reason: String) {
        switch phase {
        case .closing, .lingering, .closed: return
        case .new, .preface, .settings, .open: break
        }
        server.clientLog.log("connection ended", to: server.logger, on: loop) {
            ["reason": .clean(reason), "code": "\(code.rawValue)"]
        }
        phase = .closing
        transport.append {
            FrameWriter.writeGoAway(lastStream: lastStream, code, reason, into: &$0)
        }
        endAllStreams()
        // Who did something wrong may read why, but is not listened to for long.
        closeBehindOutput(lingering: server.limits.lingerTimeout)
    }

    /// Closes when nothing is left to be done.
    func close() {
        switch phase {
        case .closing, .lingering, .closed: return
        case .new, .preface, .settings, .open: break
        }
        phase = .closing
        closeBehindOutput(lingering: server.limits.maxLingerTime)
    }

    /// Sends what is left, closes the server's side, and drops what still arrives: a connection that is closed while the
    /// client still sends is reset, and the reset would destroy what is on its way.
    private func closeBehindOutput(lingering time: Duration) {
        input.buffer = ByteBuffer()
        input.block = nil
        transport.whenSent { self.allIsSent(lingering: time) }
        resumeReading()
    }

    private func allIsSent(lingering time: Duration) {
        guard case .closing = phase else { return }
        guard !input.isClosed else { return transport.close() }
        phase = .lingering(end: loop.now.advanced(by: time))
        deadline = loop.now.advanced(by: server.limits.lingerTimeout)
        transport.closeOutput()
    }

    func endAllStreams() {
        let all = Array(streams.values)
        streams = [:]
        output.ready.removeAll()
        for stream in all { stream.end(.connectionClosed) }
    }

    /// The client has closed its side: requests whose content is whole may still be answered.
    func inputClosed() {
        input.isClosed = true
        process()
        if case .lingering = phase { return transport.close() }
        for stream in Array(streams.values) { stream.inputClosed() }
        if streams.isEmpty, running == 0 { close() }
    }

    // MARK: The drain

    func drain(deadline: LoopInstant) {
        goAway()
        for stream in Array(streams.values) { stream.serverDrains() }
    }
}
