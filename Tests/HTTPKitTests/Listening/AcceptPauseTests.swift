import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPKit

@Suite("A listener whose system refuses connections")
struct AcceptPauseTests {
    private func reads(_ channel: EmbeddedChannel) -> Bool? {
        channel.options.last { $0.option is ChannelOptions.Types.AutoReadOption }?.value as? Bool
    }

    @Test("rests, once however often it is refused, and goes on by itself")
    func rests() throws {
        let channel = EmbeddedChannel(handler: AcceptPause())
        for round in 0..<2 {
            for _ in 0..<3 {
                channel.pipeline.fireErrorCaught(IOError(errnoCode: 24, reason: "accept"))
                #expect(throws: IOError.self) { try channel.throwIfErrorCaught() }
            }
            #expect(reads(channel) == false, "round \(round)")
            channel.embeddedEventLoop.advanceTime(by: AcceptPause.duration - .nanoseconds(1))
            #expect(reads(channel) == false)
            channel.embeddedEventLoop.advanceTime(by: .nanoseconds(1))
            #expect(reads(channel) == true)
        }
    }

    @Test("does not rest for an error of another kind, and may be closed while it rests")
    func others() throws {
        let channel = EmbeddedChannel(handler: AcceptPause())
        channel.pipeline.fireErrorCaught(ChannelError.ioOnClosedChannel)
        #expect(throws: ChannelError.self) { try channel.throwIfErrorCaught() }
        #expect(reads(channel) == nil)
        channel.pipeline.fireErrorCaught(IOError(errnoCode: 24, reason: "accept"))
        #expect(throws: IOError.self) { _ = try channel.finish() }
        channel.embeddedEventLoop.advanceTime(by: AcceptPause.duration)
    }
}
