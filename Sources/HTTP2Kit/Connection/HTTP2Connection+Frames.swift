import HTTPKit
import NIOCore

/// What the frames of a client mean (RFC 9113 §6).
extension HTTP2Connection {
    func handle(_ frame: Frame) throws(HTTP2Error) {
        if case .settings = phase {
            guard case .settings = frame else { throw .malformed("the first frame is not SETTINGS") }
            phase = .open
            deadline = loop.now.advanced(byMilliseconds: server.idleMilliseconds)
        }
        if input.block != nil {
            guard case .continuation = frame else {
                throw .malformed("a frame stands between HEADERS and CONTINUATION")
            }
        }
        switch frame {
        case .data(let id, let data, let flowControlled, let endsStream):
            try receive(data, on: id, flowControlled: flowControlled, endsStream: endsStream)
        case .headers(let id, let block, let endsStream, let endsHeaders):
            try receiveHeaders(block, on: id, endsStream: endsStream, endsHeaders: endsHeaders)
        case .continuation(let id, let block, let endsHeaders):
            try receiveContinuation(block, on: id, endsHeaders: endsHeaders)
        case .reset(let id, _): try receiveReset(of: id)
        case .settings(let settings): try receiveSettings(settings)
        case .settingsAck: try countControlFrame()
        case .ping(let data):
            try countControlFrame()
            transport.append { FrameWriter.writePing(data, isAck: true, into: &$0) }
        case .pingAck(let data):
            try countControlFrame()
            if data == Self.goAwayPing { goAwayWasSeen() }
        case .goAway: goAway()
        case .windowUpdate(let id, let increment): try receiveWindowUpdate(increment, on: id)
        case .ignored: try countControlFrame()
        }
    }

    /// Counts a frame that costs the client nothing.
    func countControlFrame() throws(HTTP2Error) {
        guard buckets.controlFrames.take(now: loop.now) else {
            throw .connection(.enhanceYourCalm, "too many frames that ask for nothing")
        }
    }

    // MARK: Content

    private func receive(
        _ data: ByteBuffer, on id: UInt32, flowControlled: Int, endsStream: Bool
    ) throws(HTTP2Error) {
        guard input.window.take(flowControlled) else {
            throw .connection(.flowControlError, "DATA beyond the window of the connection")
        }
        if data.readableBytes == 0, !endsStream { try countControlFrame() }
        guard let stream = streams[id] else {
            creditConnection()
            if resetStreams.contains(id) { return }
            try checkIsKnown(id)
            throw .stream(id, .streamClosed, "DATA on a closed stream")
        }
        defer { creditConnection() }
        try stream.receive(data, flowControlled: flowControlled, endsStream: endsStream)
        _ = loop.spend(bytes: data.readableBytes)
    }

    /// Frames other than HEADERS and PRIORITY open no stream (RFC 9113 §5.1).
    private func checkIsKnown(_ id: UInt32) throws(HTTP2Error) {
        guard id <= lastStream, id % 2 == 1 else { throw .malformed("a frame on an idle stream") }
    }

    /// Lets the client send more, unless too much waits for handlers.
    func creditConnection() {
        let held = max(0, input.held - (limits.maxBufferedContent - limits.connectionWindow))
        guard let more = input.window.credit(held: held) else { return }
        transport.append { FrameWriter.writeWindowUpdate(stream: 0, more, into: &$0) }
    }

    private func receiveReset(of id: UInt32) throws(HTTP2Error) {
        guard let stream = streams[id] else {
            try checkIsKnown(id)
            return try countControlFrame()
        }
        stream.end(.reset)
        try countReset()
    }

    /// Counts a stream that was reset, by whichever side, because of what the client does.
    func countReset() throws(HTTP2Error) {
        guard buckets.resets.take(now: loop.now) else {
            throw .connection(.enhanceYourCalm, "too many streams were reset")
        }
    }

    // MARK: Settings and windows

    private func receiveSettings(_ settings: [Frame.Setting]) throws(HTTP2Error) {
        for _ in 0...settings.count / 16 { try countControlFrame() }
        let before = output.peer
        for setting in settings { try output.peer.apply(setting) }
        if output.peer.headerTableSize != before.headerTableSize {
            output.encoder.setTableSize(output.peer.headerTableSize)
        }
        let difference = output.peer.initialWindowSize - before.initialWindowSize
        if difference != 0 {
            for stream in streams.values {
                guard stream.addWindow(difference) else {
                    throw .connection(.flowControlError, "a window became too large")
                }
            }
            requestPump()
        }
        transport.append { FrameWriter.writeSettingsAck(into: &$0) }
    }

    private func receiveWindowUpdate(_ increment: Int, on id: UInt32) throws(HTTP2Error) {
        guard id != 0 else {
            guard increment > 0 else { throw .malformed("WINDOW_UPDATE by 0") }
            // An update is of use where something waits for it.
            if output.window > 0, increment < Self.smallIncrement { try countControlFrame() }
            output.window += increment
            guard output.window <= PeerSettings.maxWindow else {
                throw .connection(.flowControlError, "the window of the connection became too large")
            }
            return requestPump()
        }
        guard let stream = streams[id] else {
            try checkIsKnown(id)
            return try countControlFrame()
        }
        guard increment > 0 else { throw .stream(id, .protocolError, "WINDOW_UPDATE by 0") }
        if increment < Self.smallIncrement { try countControlFrame() }
        guard stream.addWindow(increment) else {
            throw .stream(id, .flowControlError, "the window of a stream became too large")
        }
        requestPump()
    }

    /// Updates below it are counted: they cost a client nothing.
    private static let smallIncrement = 1024

    /// What the PING behind the first GOAWAY carries.
    static let goAwayPing: UInt64 = 0x4F6E_6550_6F72_7400

    // MARK: Blocks

    private func receiveHeaders(
        _ block: ByteBuffer, on id: UInt32, endsStream: Bool, endsHeaders: Bool
    ) throws(HTTP2Error) {
        guard id % 2 == 1 else { throw .malformed("a client's streams have odd numbers") }
        if endsHeaders { return try receiveBlock(block, on: id, endsStream: endsStream) }
        input.block = OpenBlock(stream: id, endsStream: endsStream, bytes: Array(block.readableBytesView))
        input.frameDeadline = loop.now.advanced(by: server.limits.headTimeout)
    }

    private func receiveContinuation(
        _ block: ByteBuffer, on id: UInt32, endsHeaders: Bool
    ) throws(HTTP2Error) {
        guard var open = input.block, open.stream == id else {
            throw .malformed("CONTINUATION without HEADERS")
        }
        open.frames += 1
        input.block = nil
        guard open.frames <= limits.maxContinuations, open.bytes.count + block.readableBytes <= maxBlockSize
        else {
            throw .connection(.enhanceYourCalm, "a field block is larger than \(maxBlockSize) bytes")
        }
        open.bytes.append(contentsOf: block.readableBytesView)
        guard endsHeaders else {
            input.block = open
            return
        }
        input.frameDeadline = nil
        try receiveBlock(ByteBuffer(bytes: open.bytes), on: id, endsStream: open.endsStream)
    }

    /// How large a compressed block may be. One whose fields are too large, but not this large, still gets a response.
    private var maxBlockSize: Int {
        let limits = server.limits
        return max(0, limits.maxFieldSectionSize).addingClamped(max(0, limits.maxTargetLength)).addingClamped(
            64 << 10)
    }
}

extension Int {
    /// The sum, or the largest integer.
    func addingClamped(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
