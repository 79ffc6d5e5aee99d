import HTTPTypes
import NIOCore
import Testing

@testable import HTTP2Kit
@testable import HTTPKit

/// The windows (RFC 9113 §5.2, §6.9).
@Suite struct FlowControlTests {
    private func content(_ frames: [SentFrame], _ stream: UInt32) -> Int {
        frames.filter { $0.type == 0 && $0.stream == stream }.reduce(0) { $0 + $1.payload.count }
    }

    private static let large = String(repeating: "x", count: 200_000)

    @Test("no more is sent than the client has room for, on the stream and on the connection")
    func sending() throws {
        let wire = try HTTP2Wire { _ in .text(Self.large) }
        try wire.get(stream: 1)
        let first = try wire.frames()
        #expect(content(first, 1) == 65_535)
        #expect(first.allSatisfy { $0.payload.count <= 16_384 })
        // The connection has no room either.
        try wire.windowUpdate(100_000, stream: 1)
        let second = try wire.frames()
        #expect(content(second, 1) == 0)
        try wire.windowUpdate(50_000, stream: 0)
        let third = try wire.frames()
        #expect(content(third, 1) == 50_000)
        try wire.windowUpdate(1_000_000, stream: 0)
        try wire.windowUpdate(1_000_000, stream: 1)
        let last = try wire.frames()
        #expect(content(last, 1) == 200_000 - 65_535 - 50_000)
        #expect(last.last?.isEndStream == true)
    }

    @Test("streams take turns")
    func fairness() throws {
        let wire = try HTTP2Wire { _ in .text(Self.large) }
        try wire.settings([(4, 1_000_000)])
        try wire.get(stream: 1)
        try wire.get(stream: 3)
        _ = try wire.frames()
        try wire.windowUpdate(160_000, stream: 0)
        let frames = try wire.frames()
        let difference = content(frames, 1) - content(frames, 3)
        #expect(content(frames, 1) + content(frames, 3) == 160_000)
        #expect(difference.magnitude <= 2 * 16_384)
    }

    @Test("a change of the initial window changes the streams that are open, also below zero")
    func initialWindow() throws {
        let wire = try HTTP2Wire { _ in .text(Self.large) }
        try wire.windowUpdate(1_000_000, stream: 0)
        try wire.settings([(4, 10)])
        try wire.get(stream: 1)
        let first = content(try wire.frames(), 1)
        try wire.settings([(4, 0)])
        try wire.windowUpdate(10, stream: 1)
        let second = content(try wire.frames(), 1)
        try wire.windowUpdate(5, stream: 1)
        let third = content(try wire.frames(), 1)
        #expect(first == 10)
        #expect(second == 0)
        #expect(third == 5)
    }

    @Test("windows that become too large are errors: of the stream, and of the connection")
    func overflow() throws {
        let wire = try HTTP2Wire { request in
            for try await _ in request.body {}
            return .text("late")
        }
        try wire.post(stream: 1)
        try wire.windowUpdate(0x7FFF_FFFF, stream: 1)
        let first = try wire.summary()
        try wire.post(stream: 3)
        try wire.windowUpdate(0, stream: 3)
        let second = try wire.summary()
        try wire.windowUpdate(0x7FFF_FFFF, stream: 0)
        let third = try wire.summary()
        #expect(first == ["1 reset \(ErrorCode.flowControlError.rawValue)"])
        #expect(second == ["3 reset \(ErrorCode.protocolError.rawValue)"])
        #expect(third == ["goaway 3 \(ErrorCode.flowControlError.rawValue)"])
    }

    @Test("a body that nobody reads stops its own stream only, and a reader lets it go on")
    func receiving() throws {
        let wire = try HTTP2Wire { request in
            if request.path == "/deaf" { try await request.waitForDrain() }
            return .text("\(try await request.body.collect(upTo: 10_000_000).readableBytes)")
        }
        try wire.post("/deaf", stream: 1)
        let window = HTTP2Limits().streamWindow
        for _ in 0..<window / 16_384 {
            try wire.send(wire.frame(0, stream: 1, Array(repeating: 0, count: 16_384)))
        }
        let deaf = try wire.frames()
        #expect(!deaf.contains { $0.type == 8 && $0.stream == 1 })
        #expect(wire.connection.input.held == window)
        try wire.post("/", stream: 3)
        var allowed = window
        var sent = 0
        while sent < 2_000_000 {
            try wire.send(wire.frame(0, stream: 3, Array(repeating: 0, count: 16_000)))
            sent += 16_000
            allowed -= 16_000
            for frame in try wire.frames() where frame.type == 8 && frame.stream == 3 {
                allowed += Int(frame.number)
            }
            #expect(allowed > 16_000)
        }
        try wire.data("", stream: 3, end: true)
        let summary = try wire.summary()
        #expect(summary.last == "3 data 2000000 end")
        // One byte more than allowed.
        try wire.data("x", stream: 1)
        let over = try wire.summary()
        #expect(over == ["1 reset \(ErrorCode.flowControlError.rawValue)"])
        #expect(wire.connection.input.held == 0)
    }

    @Test("a client that opens no window is reset after the write timeout, and its handler is cancelled")
    func stalledStream() throws {
        let notes = Notes()
        let wire = try HTTP2Wire { request in
            .stream { writer in
                request.onDisconnect { notes.add("gone") }
                while true { try await writer.write(ByteBuffer(repeating: 0, count: 10_000)) }
            }
        }
        try wire.settings([(4, 0)])
        try wire.get(stream: 1)
        for _ in 0..<12 { wire.pass(.seconds(2)) }
        let before = try wire.frames().filter { $0.type == 3 }
        for _ in 0..<8 { wire.pass(.seconds(2)) }
        let after = try wire.frames().filter { $0.type == 3 }
        #expect(before.isEmpty)
        #expect(after.map(\.stream) == [1])
        #expect(notes.all == ["gone"])
        #expect(wire.connection.running == 0)
    }

    @Test("a client that keeps the window of the connection closed is disconnected")
    func stalledConnection() throws {
        let wire = try HTTP2Wire { _ in .text(Self.large) }
        try wire.settings([(4, 1_000_000)])
        try wire.get(stream: 1)
        for _ in 0..<20 { wire.pass(.seconds(2)) }
        let summary = try wire.summary()
        #expect(summary.last == "goaway 1 \(ErrorCode.flowControlError.rawValue)")
        #expect(wire.connection.streams.isEmpty)
    }

    @Test("a client that opens the window by crumbs is too slow")
    func crumbs() throws {
        let wire = try HTTP2Wire { _ in .text(Self.large) }
        try wire.settings([(4, 0)])
        try wire.get(stream: 1)
        var resets = 0
        for _ in 0..<1200 where resets == 0 {
            try wire.windowUpdate(1, stream: 1)
            wire.pass(.seconds(1))
            resets = try wire.frames().filter { $0.type == 3 }.count
        }
        #expect(resets == 1)
    }
}
