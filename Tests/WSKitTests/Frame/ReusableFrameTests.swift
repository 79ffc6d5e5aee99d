import NIOCore
import Testing

@testable import WSKit

@Suite("RFC 6455 §5.2: large received messages are sent on without a copy")
struct ReusableFrameTests {
    private func machine(_ role: Role, deflate: DeflateParameters? = nil, limits: WSLimits = WSLimits())
        -> WebSocketMachine
    {
        WebSocketMachine(role: role, limits: limits, deflate: deflate, now: .uptimeNanoseconds(0))
    }

    private func payload(_ count: Int) -> ByteBuffer {
        ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    }

    /// The message that a server receives when a client's message arrives in pieces of that size.
    private func receive(_ message: Message, pieces: Int) throws -> Message {
        var client = machine(.client)
        var server = machine(.server)
        var wire = ByteBuffer()
        try client.encode(message, into: &wire)
        while wire.readableBytes > 0 {
            guard var piece = wire.readSlice(length: min(pieces, wire.readableBytes)) else { break }
            if case .message(let received) = try server.next(&piece, now: .uptimeNanoseconds(0)) {
                return received
            }
        }
        throw WSError.closed
    }

    @Test(
        "the reused frame has the same bytes as an encoded one",
        arguments: [4_097, 16_384, 65_535, 65_536, 200_000], [1_000, 10_000, 1 << 20])
    func sentOn(count: Int, pieces: Int) throws {
        let received = try receive(Message(binary: payload(count)), pieces: pieces)
        #expect(received.payload == payload(count))
        var server = machine(.server)
        let frame = try #require(try server.reusableFrame(for: received, compress: true))
        var encoded = ByteBuffer()
        try server.encode(received, into: &encoded)
        #expect(frame == encoded)
    }

    @Test("other bytes before a payload are not mistaken for its header")
    func otherBytes() throws {
        let header = FrameHeader(opcode: .binary, length: 5_000)
        let none = payload(5_000)
        #expect(FrameEncoder.reusableFrame(for: none, header) == nil)
        for wrong in [
            FrameHeader(opcode: .text, length: 5_000), FrameHeader(opcode: .binary, length: 5_001),
            FrameHeader(isFinal: false, opcode: .binary, length: 5_000),
            FrameHeader(isCompressed: true, opcode: .binary, length: 5_000),
        ] {
            var buffer = ByteBuffer()
            FrameEncoder.write(wrong, into: &buffer)
            buffer.moveReaderIndex(to: buffer.writerIndex)
            buffer.writeBytes(payload(5_000).readableBytesView)
            #expect(FrameEncoder.reusableFrame(for: buffer, header) == nil, "\(wrong)")
        }
        var right = ByteBuffer()
        FrameEncoder.write(header, into: &right)
        right.moveReaderIndex(to: right.writerIndex)
        right.writeBytes(payload(5_000).readableBytesView)
        let frame = try #require(FrameEncoder.reusableFrame(for: right, header))
        #expect(frame.readableBytes == 5_004)
    }

    @Test("no reuse with another kind, deflate, a smaller frame size, or as a client")
    func notApplicable() throws {
        let received = try receive(Message(binary: payload(10_000)), pieces: 1 << 20)
        let deflate = DeflateParameters(serverNoContextTakeover: true, clientNoContextTakeover: true)
        #expect(try machine(.server, deflate: deflate).reusableFrame(for: received, compress: true) == nil)
        #expect(
            try machine(.server, deflate: deflate).reusableFrame(for: received, compress: false) != nil)
        let small = WSLimits { $0.sentFrameSize = 5_000 }
        #expect(try machine(.server, limits: small).reusableFrame(for: received, compress: true) == nil)
        #expect(try machine(.client).reusableFrame(for: received, compress: true) == nil)
        let asText = Message(kind: .text, payload: received.payload)
        #expect(try machine(.server).reusableFrame(for: asText, compress: true) == nil)
        let fragmented = try receiveInFragments()
        #expect(try machine(.server).reusableFrame(for: fragmented, compress: true) == nil)
    }

    /// A message of two fragments, each larger than the copy size.
    private func receiveInFragments() throws -> Message {
        var wire = ByteBuffer()
        FrameEncoder.write(
            FrameHeader(isFinal: false, opcode: .binary, mask: 7, length: 5_000),
            payload(5_000).readableBytesSpan, into: &wire)
        FrameEncoder.write(
            FrameHeader(opcode: .continuation, mask: 9, length: 5_000), payload(5_000).readableBytesSpan,
            into: &wire)
        var server = machine(.server)
        guard case .message(let message) = try server.next(&wire, now: .uptimeNanoseconds(0)) else {
            throw WSError.closed
        }
        #expect(message.count == 10_000)
        return message
    }
}
