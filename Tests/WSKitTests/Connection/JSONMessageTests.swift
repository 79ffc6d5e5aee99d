import HTTPKit
import NIOCore
import NIOEmbedded
import Testing

@testable import WSKit

private struct Order: Codable, Sendable, Equatable {
    enum Size: String, Codable { case small, large }
    struct Item: Codable, Equatable {
        var name: String
        var count: UInt8
        var size: Size?
    }
    var id: Int
    var items: [Item] = []
}

@Suite("Messages as JSON values")
struct JSONMessageTests {
    private static let good = #"{"id":1,"items":[{"name":"tea","count":2,"size":"small"}]}"#

    /// Serves a socket that replies to each value with its id, and to each failure with its text.
    private func serve<Value: Decodable & Sendable>(
        _ harness: ConnectionHarness, _ journal: Journal, as type: Value.Type,
        _ answer: @escaping @Sendable (Value) -> String
    ) {
        harness.serve { socket in
            for try await result in socket.messages(as: type) {
                switch result {
                case .success(let value): journal.note(answer(value))
                case .failure(let error): journal.note(error.message)
                }
            }
            journal.note("end")
        }
    }

    @Test(
        "RFC 8259: a message that cannot be decoded names the field; those before and after it arrive",
        arguments: [
            (#"{"items":[]}"#, "id: is missing"),
            (#"{"id":"1","items":[]}"#, "id: expected an integer, found a string"),
            (#"{"id":null,"items":[]}"#, "id: expected an integer, found null"),
            (#"{"id":1}"#, "items: is missing"),
            (
                #"{"id":1,"items":[{"name":"a","count":1},{"name":"b"}]}"#,
                "items[1].count: is missing"
            ),
            (
                #"{"id":1,"items":[{"name":7,"count":1}]}"#,
                "items[0].name: expected a string, found a number"
            ),
            (
                #"{"id":1,"items":[{"name":"a","count":300}]}"#,
                "items[0].count: expected an integer from 0 to 255, found another number"
            ),
            (
                #"{"id":1.5,"items":[]}"#,
                "id: expected an integer, found another number"
            ),
            (
                #"{"id":1,"items":[{"name":"a","count":1,"size":"huge"}]}"#,
                "items[0].size: has a value that is not allowed here"
            ),
            (#"[1]"#, "JSON: expected an object, found an array"), ("", "JSON: the text is not JSON"),
            ("{", "JSON: the text is not JSON"),
            ("null", "JSON: "), (#"{"id":1,"items":[]}x"#, "JSON: the text is not JSON"),
            (String(repeating: "[", count: 100_000), "JSON: the text is not JSON"),
        ])
    func named(_ text: String, _ failure: String) throws {
        let harness = try ConnectionHarness()
        let journal = Journal()
        serve(harness, journal, as: Order.self) { "\($0.id)" }
        for text in [Self.good, text, Self.good, text, Self.good] { try harness.receive(frame(0x81, text)) }
        let heard = journal.all
        #expect(heard.map { $0.hasPrefix("1") } == [true, false, true, false, true])
        #expect(heard.dropFirst().first?.hasPrefix(failure) == true, "\(heard)")
        #expect(harness.connection.closeReason == nil && harness.channel.isActive)
        try harness.receive(closeFrame(1000))
        #expect(journal.all.last == "end")
    }

    @Test("a value that is not an object: valid JSON of the wrong type is not reported as malformed")
    func bareValues() throws {
        let harness = try ConnectionHarness()
        let journal = Journal()
        serve(harness, journal, as: Order.Size.self) { $0.rawValue }
        for text in [#""small""#, #""huge""#, "7", #""large""#, "small"] {
            try harness.receive(frame(0x81, text))
        }
        let heard = journal.all
        #expect(heard.count == 5 && heard.first == "small" && heard.dropFirst(3).first == "large")
        #expect(heard.dropFirst().first == "JSON: has a value that is not allowed here", "\(heard)")
        #expect(heard.dropFirst(2).first == "JSON: expected a string, found a number", "\(heard)")
        #expect(heard.last == "JSON: the text is not JSON")
    }

    @Test("binary messages are decoded too; invalid UTF-8 in them does not close the socket")
    func binary() throws {
        let harness = try ConnectionHarness()
        let journal = Journal()
        serve(harness, journal, as: Order.self) { "\($0.id)" }
        try harness.receive(frame(0x82, [0xFF, 0xFE]) + frame(0x82, Self.good))
        #expect(journal.all == ["JSON: the text is not JSON", "1"])
        #expect(harness.channel.isActive)
    }

    @Test("a burst in one read, fragments, and a message split anywhere: one result for each, in order")
    func cut() throws {
        let wanted = ["1", "id: is missing", "1"]
        let half = Array(Self.good.utf8)
        let bytes =
            frame(0x01, Array(half.prefix(9))) + frame(0x80, Array(half.dropFirst(9))) + frame(0x81, "{}")
            + frame(0x81, Self.good)
        for cut in bytes.indices {
            let harness = try ConnectionHarness()
            let journal = Journal()
            serve(harness, journal, as: Order.self) { "\($0.id)" }
            try harness.receive(Array(bytes[..<cut]))
            try harness.receive(Array(bytes[cut...]))
            #expect(journal.all == wanted, "split at \(cut)")
        }
    }

    @Test("a value that is sent as JSON decodes to the same value")
    func sent() throws {
        let harness = try ConnectionHarness()
        let order = Order(id: 7, items: [.init(name: "Käse/\u{1F9C0}", count: 255, size: nil)])
        harness.serve { socket in
            try await socket.send(json: order)
            for try await _ in socket.messages {}
        }
        let bytes = try harness.sent()
        #expect(bytes.first == 0x81)
        #expect(try JSON.decode(Order.self, from: ByteBuffer(bytes: bytes.dropFirst(2))) == order)
    }
}
