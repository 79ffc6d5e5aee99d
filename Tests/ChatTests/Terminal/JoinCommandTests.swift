import Foundation
import Testing
import WSKit

@testable import ChatApp

@Suite("The join command")
struct JoinCommandTests {
    @Test("It shows messages of others at once, sends typed lines, and ends with its input")
    func talks() async throws {
        try await Scene.run { scene in
            let server = try await scene.server()
            let ben = try await Guest.join("ben", at: server)
            try await ben.say("earlier")
            let ann = try scene.terminal("ann", at: server)
            _ = try await ann.line(with: "ben: earlier")
            _ = try await ann.line(with: "You are ann in #lobby.")
            #expect(try await ben.next() == .joined(name: "ann"))
            // Messages of others are shown before anything is typed.
            try await ben.say("Anybody there?\nSecond line")
            _ = try await ann.line(with: "ben: Anybody there?")
            #expect(try await ann.line(with: "Second line").hasPrefix("   "))
            try ann.type("I am.")
            guard case .said(let said) = try await ben.next() else {
                Issue.record("nothing was said")
                return
            }
            #expect(said.name == "ann" && said.text == "I am.")
            try ann.type("/who")
            #expect(try await ann.line(with: "here:") == "* 2 here: ben, ann")
            try ann.type("/frown")
            _ = try await ann.line(with: "Unknown command /frown")
            let cleo = try await Guest.join("cleo", at: server)
            _ = try await ann.line(with: "* cleo joined")
            await cleo.socket.close()
            _ = try await ann.line(with: "* cleo left")
            try ann.type(String(repeating: "x", count: 5000))
            _ = try await ann.line(with: "* not sent: ")
            try ann.type("last")
            try ann.endInput()
            #expect(try await ann.ended() == 0)
            #expect(
                try await server.messages().map(\.text) == [
                    "earlier", "Anybody there?\nSecond line", "I am.", "last",
                ])
        }
    }

    @Test(
        "After a restart of the server, it reconnects, catches up and sends the lines typed in the meantime")
    func reconnects() async throws {
        try await Scene.run { scene in
            let server = try await scene.server()
            let ann = try scene.terminal("ann", at: server)
            _ = try await ann.line(with: "You are ann in #lobby.")
            await server.stop()
            _ = try await ann.line(with: "the connection was lost; connecting again in")
            try ann.type("typed meanwhile")
            let elsewhere = try await scene.server()
            let ben = try await Guest.join("ben", at: elsewhere)
            try await ben.say("said meanwhile")
            await elsewhere.stop()
            let again = try await scene.server(port: server.port)
            _ = try await ann.line(with: "ben: said meanwhile")
            _ = try await ann.line(with: "connected again")
            _ = try await ann.line(with: "ann: typed meanwhile")
            try ann.type("/quit")
            #expect(try await ann.ended() == 0)
            #expect(try await again.messages().map(\.text) == ["said meanwhile", "typed meanwhile"])
        }
    }

    @Test("It ends with the reason if reconnecting cannot help")
    func refusals() async throws {
        try await Scene.run { scene in
            let server = try await scene.server()
            _ = try await Guest.join("ann", at: server)
            let second = try scene.terminal("Ann", at: server)
            _ = try await second.line(with: "already")
            #expect(try await second.ended() == 1)
            let lost = try scene.start(
                Place.chat(), ["join", "ws://127.0.0.1:\(server.port)/x", "--name", "ben"])
            _ = try await lost.line(with: "There is no chat at")
            #expect(try await lost.ended() == 1)
        }
    }
}

extension ServerProgram {
    /// The lobby's history for a new client.
    fileprivate func messages() async throws -> [ChatMessage] {
        let guest = try await Guest.join("reader", at: self)
        await guest.socket.close()
        return guest.welcome.messages
    }
}
