import NIOCore
import Testing

@testable import WSKit

@Suite("RFC 6455 §5.2: a large message that is sent on under the header that stands before it")
struct StandingHeaderTests {
    private func machine(_ role: Role, deflate: DeflateParameters? = nil, limits: WSLimits = WSLimits())
        -> WebSocketMachine
    {
        WebSocketMachine(role: role, limits: limits, deflate: deflate, now: .uptimeNanoseconds(0))
    }

    private func payload(_ count: Int) -> ByteBuffer {
        ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    }

    /// What a server makes of a client's message that arrives in pieces of that size.
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
        "sent on, it is the frame that an encoder makes, octet for octet",
        arguments: [4_097, 16_384, 65_535, 65_536, 200_000], [1_000, 10_000, 1 << 20])
    func sentOn(count: Int, pieces: Int) throws {
        let received = try receive(Message(binary: payload(count)), pieces: pieces)
        #expect(received.payload == payload(count))
        var server = machine(.server)
        let frame = try #require(try server.frame(standingBefore: received, compress: true))
        var encoded = ByteBuffer()
        try server.encode(received, into: &encoded)
        #expect(frame == encoded)
    }

    @Test("whatever else stands before a payload is not taken for its header")
    func otherOctets() throws {
        let header = FrameHeader(opcode: .binary, length: 5_000)
        let none = payload(5_000)
        #expect(FrameEncoder.frame(before: none, header) == nil)
        for wrong in [
            FrameHeader(opcode: .text, length: 5_000), FrameHeader(opcode: .binary, length: 5_001),
            FrameHeader(isFinal: false, opcode: .binary, length: 5_000),
            FrameHeader(isCompressed: true, opcode: .binary, length: 5_000),
        ] {
            var buffer = ByteBuffer()
            FrameEncoder.write(wrong, into: &buffer)
            buffer.moveReaderIndex(to: buffer.writerIndex)
            buffer.writeBytes(payload(5_000).readableBytesView)
            #expect(FrameEncoder.frame(before: buffer, header) == nil, "\(wrong)")
        }
        var right = ByteBuffer()
        FrameEncoder.write(header, into: &right)
        right.moveReaderIndex(to: right.writerIndex)
        right.writeBytes(payload(5_000).readableBytesView)
        let frame = try #require(FrameEncoder.frame(before: right, header))
        #expect(frame.readableBytes == 5_004)
    }

    @Test("not where frames have to be made: another kind, deflate, a smaller frame size, a client")
    func notApplicable() throws {
        let received = try receive(Message(binary: payload(10_000)), pieces: 1 << 20)
        let deflate = DeflateParameters(serverNoContextTakeover: true, clientNoContextTakeover: true)
        #expect(try machine(.server, deflate: deflate).frame(standingBefore: received, compress: true) == nil)
        #expect(
            try machine(.server, deflate: deflate).frame(standingBefore: received, compress: false) != nil)
        let small = WSLimits { $0.sentFrameSize = 5_000 }
        #expect(try machine(.server, limits: small).frame(standingBefore: received, compress: true) == nil)
        #expect(try machine(.client).frame(standingBefore: received, compress: true) == nil)
        let asText = Message(kind: .text, payload: received.payload)
        #expect(try machine(.server).frame(standingBefore: asText, compress: true) == nil)
        let fragmented = try receiveInFragments()
        #expect(try machine(.server).frame(standingBefore: fragmented, compress: true) == nil)
    }

    /// A message of two fragments, each larger than what is copied.
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
