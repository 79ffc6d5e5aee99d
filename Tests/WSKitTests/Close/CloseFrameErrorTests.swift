import Testing

@testable import WSKit

@Suite("RFC 6455 §7.4 a close frame that must not be sent") struct CloseFrameErrorTests {
    @Test(
        "a code that must not be sent is an error, nothing is sent, and the socket stays open",
        arguments: [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] as [UInt16])
    func codes(_ number: UInt16) throws {
        let code = CloseCode(rawValue: number)
        try expect(.code(code), whenClosing: code, reason: "")
        #expect(SlowClientPolicy.disconnect(code).sendable == .disconnect(.tryAgainLater))
    }

    @Test(
        "a reason of more than 123 bytes of UTF-8 is an error too",
        arguments: [(String(repeating: "x", count: 124), 124), (String(repeating: "€", count: 42), 126)])
    func reasons(_ reason: String, bytes: Int) throws {
        try expect(.reasonTooLong(bytes: bytes), whenClosing: .normal, reason: reason)
    }

    private func expect(_ error: CloseFrameError, whenClosing code: CloseCode, reason: String) throws {
        let harness = try ConnectionHarness()
        let journal = Journal()
        let socket = harness.serve { socket in
            do throws(CloseFrameError) { try await socket.close(code, reason: reason) } catch {
                journal.note("\(error)")
            }
            for try await _ in socket.messages {}
        }
        #expect(journal.all == [error.description])
        #expect(throws: error) { try socket.beginClose(code, reason: reason) }
        #expect(try harness.sent().isEmpty)
        #expect(socket.trySend(Message(text: "still open")) == .sent)
        socket.beginClose()
        #expect(try harness.sent() == frame(0x81, "still open", key: nil) + closeFrame(1000, key: nil))
    }

    @Test(
        "every other code can be sent, with a reason of up to 123 bytes",
        arguments: [1000, 1001, 1003, 1007, 1013, 1014, 3000, 4000, 4999] as [UInt16])
    func sent(_ number: UInt16) throws {
        let harness = try ConnectionHarness()
        let code = CloseCode(rawValue: number)
        let reason = String(repeating: "€", count: 41)
        try harness.open().beginClose(code, reason: reason)
        #expect(
            try harness.sent()
                == frame(0x88, [UInt8(number >> 8), UInt8(number & 255)] + Array(reason.utf8), key: nil))
        #expect(SlowClientPolicy.disconnect(code).sendable == .disconnect(code))
    }
}
