import NIOCore
import Testing

@testable import HTTP2Kit

@Suite struct FrameReaderTests {
    private func read(_ bytes: [UInt8]) throws(HTTP2Error) -> Frame? {
        var input = ByteBuffer(bytes: bytes)
        return try FrameReader(maxFrameSize: 16_384).next(&input)
    }

    @Test(
        "frames that are wrong by themselves, with what ends by it",
        arguments: [
            // DATA, HEADERS, RST_STREAM, CONTINUATION on stream 0; SETTINGS, PING, GOAWAY on a stream.
            ("000001 00 00 00000000 61", ErrorCode.protocolError),
            ("000001 01 04 00000000 82", .protocolError), ("000004 03 00 00000000 00000000", .protocolError),
            ("000001 09 04 00000000 82", .protocolError), ("000000 04 00 00000001", .protocolError),
            ("000008 06 00 00000001 0000000000000000", .protocolError),
            ("000008 07 00 00000001 0000000000000000", .protocolError),
            ("000005 02 00 00000000 0000000010", .protocolError),
            // Lengths.
            ("000003 03 00 00000001 000000", .frameSizeError),
            ("000005 04 00 00000000 0000000000", .frameSizeError),
            ("000006 04 01 00000000 000000000000", .frameSizeError),
            ("000007 06 00 00000000 00000000000000", .frameSizeError),
            ("000007 07 00 00000000 00000000000000", .frameSizeError),
            ("000003 08 00 00000001 000000", .frameSizeError), ("004001 00 00 00000001", .frameSizeError),
            ("000004 01 24 00000001 00000000", .frameSizeError), ("000000 00 08 00000001", .frameSizeError),
            // Padding longer than the frame, and PUSH_PROMISE.
            ("000002 00 08 00000001 0261", .protocolError), ("000002 01 0c 00000001 0582", .protocolError),
            ("000004 05 04 00000001 00000002", .protocolError),
        ])
    func wrong(_ bytes: String, _ code: ErrorCode) {
        do throws(HTTP2Error) {
            let frame = try read(hex(bytes))
            Issue.record("taken as \(String(describing: frame))")
        } catch {
            guard case .connection(code, _) = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test("a PRIORITY of another length ends its stream only")
    func priority() throws {
        let error = #expect(throws: HTTP2Error.self) { _ = try read(hex("000004 02 00 00000003 00000000")) }
        #expect(error == .stream(3, .frameSizeError, "PRIORITY has 4 bytes"))
    }

    @Test("padding and priority are not part of what is delivered, but padding counts")
    func padding() throws {
        guard case .data(1, let data, 6, true)? = try read(hex("000006 00 09 00000001 03 6162 000000")) else {
            Issue.record("no DATA")
            return
        }
        #expect(String(buffer: data) == "ab")
        guard
            case .headers(1, let block, false, true)? = try read(
                hex("000008 01 2c 00000001 01 0000000010 82 00"))
        else {
            Issue.record("no HEADERS")
            return
        }
        #expect(Array(block.readableBytesView) == [0x82])
    }

    @Test("the reserved bit is ignored, unknown types are passed over, and parts wait")
    func leniency() throws {
        guard case .windowUpdate(1, 5)? = try read(hex("000004 08 00 80000001 80000005")) else {
            Issue.record("no WINDOW_UPDATE")
            return
        }
        guard case .ignored(7)? = try read(hex("000002 ee ff 00000007 0000")) else {
            Issue.record("no unknown frame")
            return
        }
        let whole = hex("000002 ee ff 00000007 0000")
        for count in 0..<whole.count {
            let frame = try read(Array(whole.prefix(count)))
            #expect(frame == nil)
        }
    }

    @Test("the preface, whole and in parts")
    func preface() {
        let whole = Array(FrameReader.preface.utf8)
        for count in 0...whole.count {
            var input = ByteBuffer(bytes: whole.prefix(count))
            #expect(FrameReader.readPreface(&input) == (count == whole.count ? true : nil))
            var wrong = ByteBuffer(bytes: whole.prefix(count) + [0x21])
            #expect(FrameReader.readPreface(&wrong) == (count == whole.count ? true : false))
        }
    }
}
