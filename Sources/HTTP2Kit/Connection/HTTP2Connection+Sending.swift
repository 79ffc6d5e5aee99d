import DequeModule
import HTTPKit
import HTTPTypes
import NIOCore

/// The way out, which the streams share (RFC 9113 §4.3, §6.9).
extension HTTP2Connection: LoopFlushable {
    /// Writes the head of a response, final or interim.
    ///
    /// - Parameter content: content that is sent at once behind it, within the windows, and ends the stream.
    func writeHead(
        on id: UInt32, status: HTTPResponse.Status, fields: HTTPFields, contentLength: Int?, date: DateLine?,
        endsStream: Bool, content: String.UTF8View? = nil
    ) {
        transport.append { out in
            let start = out.writerIndex
            FrameWriter.writeHeader(
                .headers, endsStream ? [.endHeaders, .endStream] : .endHeaders, stream: id, length: 0,
                into: &out)
            output.encoder.encode(
                status: status.code, fields: fields, contentLength: contentLength, date: date, into: &out)
            finishBlock(from: start, endsStream: endsStream, id, &out)
            guard let content else { return }
            FrameWriter.writeHeader(.data, .endStream, stream: id, length: content.count, into: &out)
            out.writeWithOutputRawSpan(minimumWritableBytes: content.count) { $0.append(content) }
        }
    }

    func writeTrailers(on id: UInt32, _ trailers: HTTPFields) {
        transport.append { out in
            let start = out.writerIndex
            FrameWriter.writeHeader(.headers, [.endHeaders, .endStream], stream: id, length: 0, into: &out)
            output.encoder.encode(trailers: trailers, into: &out)
            finishBlock(from: start, endsStream: true, id, &out)
        }
    }

    /// Writes the length of a block into the header of its frame. A block that is longer than a frame may be goes on in
    /// CONTINUATION frames (RFC 9113 §6.10).
    private func finishBlock(from start: Int, endsStream: Bool, _ id: UInt32, _ out: inout ByteBuffer) {
        let length = out.writerIndex - start - FrameReader.headerSize
        let limit = output.peer.maxFrameSize
        if length <= limit {
            out.setInteger(UInt32(length) << 8 | UInt32(FrameType.headers.rawValue), at: start)
            return
        }
        guard var block = out.getSlice(at: start + FrameReader.headerSize, length: length) else { return }
        out.moveWriterIndex(to: start)
        // The slice must not share what is overwritten now.
        block = ByteBuffer(bytes: block.readableBytesView)
        var type = FrameType.headers
        while let piece = block.readSlice(length: min(limit, block.readableBytes)), piece.readableBytes > 0 {
            var flags: FrameFlags = block.readableBytes == 0 ? .endHeaders : []
            if type == .headers, endsStream { flags.insert(.endStream) }
            FrameWriter.writeHeader(type, flags, stream: id, length: piece.readableBytes, into: &out)
            out.writeImmutableBuffer(piece)
            type = .continuation
        }
    }

    /// Whether `count` bytes of content of a new stream can go out at once, past no other stream.
    func canSendAtOnce(_ count: Int, window: Int) -> Bool {
        output.ready.isEmpty && count <= min(output.window, window, output.peer.maxFrameSize)
            && transport.isWritable
    }

    /// Has what waits sent at the end of this turn.
    func requestPump() {
        guard !output.isPumpRequested, !output.ready.isEmpty else { return }
        output.isPumpRequested = true
        loop.flushLater(self)
    }

    func flush() {
        output.isPumpRequested = false
        pump()
    }

    /// Sends what the windows and the transport have room for: one frame of each stream in turn.
    func pump() {
        while output.window > 0 || output.ready.first?.needsNoWindow == true, transport.isWritable,
            let stream = output.ready.popFirst()
        {
            let limit = min(output.window, output.peer.maxFrameSize, Self.largestSentFrame)
            output.window -= stream.sendFrame(atMost: limit)
            if transport.gathered > server.maxGathered { transport.handOver() }
        }
    }

    /// Larger frames would make the other streams wait.
    private static let largestSentFrame = 16_384

    /// Puts a stream behind the others that have something to send.
    func enlist(_ stream: HTTP2Stream) {
        output.ready.append(stream)
        requestPump()
    }
}
