import NIOCore
import Testing

@testable import WSKit

@Suite struct CloseTests {
    @Test("RFC 6455 §7.4 which codes a close frame may carry")
    func codes() {
        for number in UInt16.min...UInt16.max {
            let allowed: Bool =
                switch number {
                case 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014: true
                case 3000...4999: true
                default: false
                }
            let payload = ByteBuffer(integer: number)
            do throws(WSError) {
                #expect(try ClosePayload.parse(payload).code.rawValue == number)
                if !allowed { Issue.record("\(number) passed") }
            } catch {
                #expect(error == .closeCode(number))
                if allowed { Issue.record("\(number)was rejected") }
            }
        }
    }

    @Test("a reason that is too long is cut at a character boundary")
    func longReason() throws {
        let payload = ClosePayload.encode(code: .normal, text: String(repeating: "€", count: 60))
        #expect(payload.readableBytes == 2 + 41 * 3)
        #expect(try ClosePayload.parse(payload).text == String(repeating: "€", count: 41))
        #expect(ClosePayload.encode(code: .noStatus, text: "x").readableBytes == 0)
        #expect(ClosePayload.encode(code: .abnormal, text: "x").readableBytes == 0)
    }

    @Test("§7.1 the peer closes first: the reply repeats its code, and nothing follows")
    func byPeer() throws {
        var server = machine()
        var input = ByteBuffer(bytes: frame(0x88, [0x0F, 0xA1] + Array("x".utf8)))
        let expected = CloseReason(
            code: CloseCode(rawValue: 4001), text: "x", initiator: .peer, isClean: true)
        #expect(try server.next(&input, now: start) == .close(expected))
        #expect(server.isCloseReplyDue && !server.isOpen && !server.isClosed)
        var out = ByteBuffer()
        #expect(throws: WSError.closed) { try server.encode(Message(text: "late"), into: &out) }
        #expect(server.encodeCloseReply(into: &out, now: start))
        #expect(Array(out.readableBytesView) == frame(0x88, [0x0F, 0xA1], key: nil))
        #expect(server.isClosed)
        #expect(!server.encodeClose(into: &out, now: start))
        server.encodePing(into: &out)
        #expect(out.readableBytes == 4)
    }

    @Test("§7.1 this end closes first: the peer's reply completes the handshake")
    func byUs() throws {
        var server = machine()
        var out = ByteBuffer()
        #expect(server.encodeClose(.goingAway, "stop", into: &out, now: start))
        #expect(Array(out.readableBytesView) == frame(0x88, [0x03, 0xE9] + Array("stop".utf8), key: nil))
        var input = ByteBuffer(bytes: frame(0x81, "still coming") + frame(0x88, [0x03, 0xE9]))
        #expect(try server.next(&input, now: start) == .text("still coming"))
        let expected = CloseReason(code: .goingAway, initiator: .local, isClean: true)
        #expect(try server.next(&input, now: start) == .close(expected))
        #expect(server.isClosed && !server.isCloseReplyDue)
        #expect(!server.encodeCloseReply(into: &out, now: start))
    }

    @Test("§7.1.7 an error is sent to the peer once, and nothing more is read")
    func failure() throws {
        var server = machine()
        var input = ByteBuffer(bytes: frame(0x83) + frame(0x81, "x"))
        #expect(throws: WSError.reservedOpcode(3)) { _ = try server.next(&input, now: start) }
        var out = ByteBuffer()
        server.fail(with: .reservedOpcode(3), into: &out, now: start)
        #expect(
            Array(out.readableBytesView)
                == frame(0x88, [0x03, 0xEA] + Array("opcode 3 is reserved".utf8), key: nil))
        #expect(server.isClosed)
        server.fail(with: .reservedOpcode(3), into: &out, now: start)
        #expect(out.readableBytes == 24)
        input = ByteBuffer(bytes: frame(0x81, "x"))
        #expect(try server.next(&input, now: start) == nil)
        #expect(input.readableBytes == 0)
    }

    @Test("every error has a code that may be sent and a reason that fits")
    func errors() {
        let all: [WSError] = [
            .reservedBit, .reservedOpcode(15), .missingMask, .unexpectedMask, .lengthNotMinimal,
            .lengthTooLarge, .controlTooLong, .fragmentedControl, .unexpectedContinuation,
            .expectedContinuation, .closePayload, .closeCode(65_535), .invalidUTF8, .corruptDeflate,
            .messageTooLarge(limit: .max), .frameTooLarge(limit: .max), .tooManyControlFrames(limit: .max),
            .tooManyTinyFragments(limit: .max), .tooManyMessages(limit: .max), .outOfMemory, .closed,
            .messageInProgress, .messageTooSlow(rate: .max), .messageTimeout, .tooMuchUnfinished(limit: .max),
        ]
        for error in all {
            #expect(error.closeCode.isAllowedOnWire)
            #expect(!error.reason.isEmpty && error.reason.utf8.count <= ClosePayload.maxTextLength)
        }
    }
}
