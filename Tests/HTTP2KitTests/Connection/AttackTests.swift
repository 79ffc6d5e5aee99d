import HTTPTypes
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import HTTP2Kit
@testable import HTTPKit

/// What a hostile client may try. In each case the connection ends, or what it costs is bounded.
@Suite struct AttackTests {
    private func code(_ summary: [String]) -> Int? {
        summary.last { $0.hasPrefix("goaway") }?.split(separator: " ").last.flatMap { Int($0) }
    }

    private static let calm = Int(ErrorCode.enhanceYourCalm.rawValue)

    @Test("rapid reset (CVE-2023-44487): requests that are reset at once")
    func rapidReset() throws {
        var limits = HTTP2Limits()
        limits.resetRate = 0
        let wire = try HTTP2Wire(limits: limits) { request in
            try await request.waitForDrain()
            return .text("")
        }
        var stream: UInt32 = 1
        var served = 0
        while case .open = wire.connection.phase, stream < 10_000 {
            try wire.get(stream: stream)
            try wire.reset(stream)
            served += 1
            stream += 2
        }
        let last = code(try wire.summary())
        #expect(last == Self.calm)
        #expect(served == HTTP2Limits().resetBurst + 1)
        #expect(wire.connection.running == 0)
    }

    @Test("resets that the server is made to send count too (CVE-2025-8671)")
    func madeYouReset() throws {
        var limits = HTTP2Limits()
        limits.resetRate = 0
        let wire = try HTTP2Wire(limits: limits) { request in
            try await request.waitForDrain()
            return .text("")
        }
        var stream: UInt32 = 1
        while case .open = wire.connection.phase, stream < 10_000 {
            try wire.get(stream: stream)
            try wire.windowUpdate(0, stream: stream)
            stream += 2
        }
        let last = code(try wire.summary())
        #expect(last == Self.calm)
        #expect(stream / 2 == UInt32(HTTP2Limits().resetBurst) + 1)
    }

    @Test("resets at a rate that people reach are no attack")
    func slowResets() throws {
        let wire = try HTTP2Wire { request in
            try await request.waitForDrain()
            return .text("")
        }
        for stream in stride(from: UInt32(1), to: 4001, by: 2) {
            try wire.get(stream: stream)
            try wire.reset(stream)
            if stream % 61 == 0 { wire.pass(.seconds(2)) }
        }
        let summary = try wire.summary()
        #expect(code(summary) == nil)
    }

    @Test("handlers of streams that were reset count until they have ended")
    func runningHandlers() throws {
        let waiting = Mutex<[CheckedContinuation<Void, Never>]>([])
        let wire = try HTTP2Wire { _ in
            // It does not care that it is cancelled.
            await withCheckedContinuation { continuation in waiting.withLock { $0.append(continuation) } }
            return .text("")
        }
        for stream in stride(from: UInt32(1), to: 401, by: 2) {
            try wire.get(stream: stream)
            if stream < 200 { try wire.reset(stream) }
        }
        let refused = try wire.summary().filter { $0.hasSuffix("reset \(ErrorCode.refusedStream.rawValue)") }
        #expect(wire.connection.running <= HTTP2Limits().maxConcurrentStreams)
        #expect(refused.count == 100)
        for continuation in waiting.withLock({ $0 }) { continuation.resume() }
        wire.run()
        #expect(wire.connection.running == 0)
    }

    @Test("more streams than allowed are refused, and the others go on")
    func concurrency() throws {
        var limits = HTTP2Limits()
        limits.maxConcurrentStreams = 3
        let wire = try HTTP2Wire(limits: limits) { request in .text(try await request.body.text()) }
        for stream in [UInt32(1), 3, 5, 7] { try wire.post(stream: stream) }
        let refused = try wire.summary()
        try wire.data("a", stream: 3, end: true)
        try wire.post(stream: 9)
        try wire.data("b", stream: 9, end: true)
        let served = try wire.summary()
        #expect(refused == ["7 reset \(ErrorCode.refusedStream.rawValue)"])
        #expect(served.filter { $0.hasSuffix("end") } == ["3 data a end", "9 data b end"])
    }

    @Test(
        "frames that ask for nothing",
        arguments: ["ping", "settings", "priority", "empty data", "unknown", "window", "settings ack"])
    func controlFrames(_ kind: String) throws {
        var limits = HTTP2Limits()
        limits.controlFrameRate = 0
        let wire = try HTTP2Wire(limits: limits) { request in
            for try await _ in request.body {}
            return .text("")
        }
        try wire.post(stream: 1)
        let frame =
            switch kind {
            case "ping": wire.frame(6, stream: 0, Array(repeating: 0, count: 8))
            case "settings": wire.frame(4, stream: 0)
            case "priority": wire.frame(2, stream: 3, [0, 0, 0, 0, 16])
            case "empty data": wire.frame(0, stream: 1)
            case "window": wire.frame(8, stream: 0, [0, 0, 0, 1])
            case "settings ack": wire.frame(4, 1, stream: 0)
            default: wire.frame(0xEE, stream: 0, [1, 2, 3])
            }
        var sent = 0
        while case .open = wire.connection.phase, sent < 10_000 {
            try wire.send(frame)
            sent += 1
        }
        let last = code(try wire.summary())
        #expect(last == Self.calm)
        #expect(sent <= HTTP2Limits().controlFrameBurst + 1)
        #expect(sent > HTTP2Limits().controlFrameBurst / 2)
    }

    @Test("CONTINUATION without end (CVE-2024-27316), small and large")
    func continuations() throws {
        for size in [0, 1, 16_384] {
            let wire = try HTTP2Wire()
            try wire.send(wire.frame(1, 1, stream: 1, HTTP2Wire.block(HTTP2Wire.head("GET", "/"))))
            var sent = 0
            while case .open = wire.connection.phase, sent < 10_000 {
                try wire.send(wire.frame(9, stream: 1, Array(repeating: 0x82, count: size)))
                sent += 1
            }
            let last = code(try wire.summary())
            #expect(last == Self.calm)
            #expect(sent <= HTTP2Limits().maxContinuations)
        }
    }

    @Test("a block that refers to a large entry again and again keeps nothing above the limits")
    func compressionBomb() throws {
        let wire = try HTTP2Wire()
        let value = Array(repeating: UInt8(0x61), count: 3900)
        let entry: [UInt8] = [0x40, 1, 0x78, 127, 0xBD, 0x1D] + value
        #expect(value.count == 127 + 0x3D + (0x1D << 7))
        let block =
            HTTP2Wire.block(HTTP2Wire.head("GET", "/")) + entry + Array(repeating: 0xBE, count: 10_000)
        try wire.send(wire.frame(1, 5, stream: 1, block))
        let status = try wire.frames().first { $0.type == 1 }?.fields.first
        #expect(status == ":status: 431")
    }

    @Test("a client that sends PINGs and does not read is not read either")
    func unreadAnswers() throws {
        let wire = try HTTP2Wire()
        _ = try wire.frames()
        wire.channel.isWritable = false
        wire.channel.pipeline.fireChannelWritabilityChanged()
        wire.channel.pipeline.read()
        #expect(wire.connection.input.isReadHeld)
        wire.channel.isWritable = true
        wire.channel.pipeline.fireChannelWritabilityChanged()
        #expect(!wire.connection.input.isReadHeld)
    }

    @Test(
        "what ends the connection, with its code",
        arguments: [
            // An idle stream, an even one, one that is closed, HEADERS in the midst of a block.
            ("000001 00 00 00000005 61", ErrorCode.protocolError),
            ("000004 03 00 00000005 00000008", .protocolError),
            ("000004 08 00 00000005 00000001", .protocolError), ("000001 01 05 00000002 82", .protocolError),
            ("000001 01 05 00000001 82", .streamClosed),
            ("000001 01 00 00000003 82 000001 01 05 00000005 82", .protocolError),
            ("000001 09 04 00000003 82", .protocolError),
            ("000001 01 00 00000003 82 000001 09 04 00000005 82", .protocolError),
            // Blocks that cannot be decompressed, settings out of range.
            ("000001 01 05 00000003 80", .compressionError),
            ("000002 01 05 00000003 ffff", .compressionError),
            ("000006 04 00 00000000 0004 80000000", .flowControlError),
            ("000006 04 00 00000000 0005 00000001", .protocolError),
            ("000006 04 00 00000000 0002 00000002", .protocolError),
            ("000004 08 00 00000000 00000000", .protocolError),
        ])
    func connectionErrors(_ bytes: String, _ expected: ErrorCode) throws {
        let wire = try HTTP2Wire()
        try wire.get(stream: 1)
        _ = try wire.frames()
        try wire.send(hex(bytes))
        let last = code(try wire.summary())
        #expect(last == Int(expected.rawValue))
    }

    @Test("the first frame is SETTINGS, behind the preface")
    func preface() throws {
        let noSettings = try HTTP2Wire(preface: false)
        try noSettings.send(
            Array(FrameReader.preface.utf8) + noSettings.frame(6, stream: 0, Array(repeating: 0, count: 8)))
        let first = code(try noSettings.summary())
        #expect(first == Int(ErrorCode.protocolError.rawValue))
        let noPreface = try HTTP2Wire(preface: false)
        try noPreface.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        let second = code(try noPreface.summary())
        #expect(second == Int(ErrorCode.protocolError.rawValue))
    }
}
