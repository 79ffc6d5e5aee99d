import HTTPTypes
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTP2Kit
@testable import HTTPKit

/// Time, the drain, and the end of connections.
@Suite struct LifetimeTests {
    @Test("a preface, a block and a frame that do not come to their ends")
    func slowFrames() throws {
        let silent = try HTTP2Wire(preface: false)
        silent.pass(.seconds(11))
        let first = try silent.summary().last
        #expect(first == "goaway 0 \(ErrorCode.settingsTimeout.rawValue)")
        for bytes in ["000001 01 01 00000001 82", "000008 06 00 00000000 00", "0000"] {
            let wire = try HTTP2Wire()
            for byte in hex(bytes) {
                try wire.send([byte])
                wire.pass(.milliseconds(500))
            }
            wire.pass(.seconds(11))
            let last = try wire.summary().last
            #expect(last == "goaway 0 \(ErrorCode.protocolError.rawValue)")
        }
    }

    @Test("a connection without requests ends after the idle timeout, and one with a request does not")
    func idle() throws {
        let busy = try HTTP2Wire { request in
            try await request.waitForDrain()
            return .text("")
        }
        try busy.get(stream: 1)
        let idle = try HTTP2Wire()
        try idle.get(stream: 1)
        _ = try idle.frames()
        for wire in [busy, idle] { wire.pass(.seconds(76)) }
        let last = try idle.summary().last
        let none = try busy.summary()
        #expect(last == "goaway 1 0")
        #expect(none.isEmpty)
        busy.loop.drain(deadline: .never)
    }

    @Test("a handler that waits for content gets 408 after the body timeout")
    func bodyTimeout() throws {
        let wire = try HTTP2Wire { request in .text(try await request.body.text()) }
        try wire.post(stream: 1)
        wire.pass(.seconds(21))
        let summary = try wire.summary()
        #expect(summary.first?.contains(":status: 408") == true)
    }

    @Test("the drain: GOAWAY in two steps, requests in flight finish, then the connection closes")
    func drain() throws {
        let wire = try HTTP2Wire { request in .text(try await request.body.text()) }
        try wire.post(stream: 1)
        wire.loop.drain(deadline: wire.loop.now.advanced(by: .seconds(20)))
        let first = try wire.summary()
        #expect(first == ["goaway 2147483647 0", "ping 0"])
        // One that was on its way is served.
        try wire.get(stream: 3)
        let second = try wire.summary()
        #expect(second.last == "3 data  end" || second.first == "3 :status: 200, content-length: 0 end")
        let ping = withUnsafeBytes(of: HTTP2Connection.goAwayPing.bigEndian) { Array($0) }
        try wire.send(wire.frame(6, 1, stream: 0, ping))
        let third = try wire.summary()
        #expect(third == ["goaway 3 0"])
        // One behind it is not.
        try wire.get(stream: 5)
        let none = try wire.summary()
        #expect(none.isEmpty)
        try wire.data("done", stream: 1, end: true)
        let last = try wire.summary()
        #expect(last == ["1 :status: 200, content-length: 4", "1 data done end"])
        switch wire.connection.phase {
        case .lingering, .closed: break
        default: Issue.record("not closed")
        }
    }

    @Test("a client that does not answer the PING has a second")
    func silentDrain() throws {
        let wire = try HTTP2Wire()
        wire.loop.drain(deadline: wire.loop.now.advanced(by: .seconds(20)))
        _ = try wire.frames()
        wire.pass(.seconds(2))
        let summary = try wire.summary()
        #expect(summary == ["goaway 0 0"])
    }

    @Test("handlers are told of the drain, and event streams end by it")
    func eventStreams() throws {
        let wire = try HTTP2Wire { _ in
            .events { events in
                try await events.send(ServerSentEvent(data: "one"))
                while true { try await Task.sleep(for: .seconds(3600)) }
            }
        }
        try wire.get(stream: 1)
        let begun = try wire.summary()
        wire.loop.drain(deadline: LoopInstant.never)
        let ended = try wire.frames()
        #expect(begun.contains { $0.contains("data: one") })
        #expect(ended.contains { $0.stream == 1 && $0.isEndStream })
    }

    @Test("a connection that closes tells every handler")
    func disconnect() throws {
        let notes = Notes()
        let wire = try HTTP2Wire { request in
            request.onDisconnect { notes.add(request.path) }
            for try await _ in request.body {}
            return .text("")
        }
        try wire.post("/a", stream: 1)
        try wire.post("/b", stream: 3)
        wire.channel.pipeline.fireChannelInactive()
        wire.run()
        #expect(notes.all.sorted() == ["/a", "/b"])
        #expect(wire.connection.running == 0)
        #expect(wire.loop.memberCount == 1)
    }

    @Test("Connection: close of a handler ends the connection behind its requests")
    func connectionClose() throws {
        let wire = try HTTP2Wire { _ in Response(fields: [.connection: "close"], body: .string("bye")) }
        try wire.get(stream: 1)
        let summary = try wire.summary()
        #expect(summary.contains("goaway 2147483647 0"))
        #expect(summary.last == "1 data bye end")
    }

    @Test("a connection serves as many requests as the limits say")
    func maxRequests() throws {
        var limits = HTTPLimits()
        limits.maxRequestsPerConnection = 2
        let wire = try HTTP2Wire(http: limits)
        try wire.get(stream: 1)
        try wire.get(stream: 3)
        let summary = try wire.summary()
        #expect(summary.contains("goaway 2147483647 0"))
        #expect(summary.last == "3 data hello end")
    }
}
