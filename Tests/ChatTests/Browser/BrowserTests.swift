import Foundation
import Testing
import WSKit

@testable import ChatApp

extension Tab {
    /// Opens the page and joins a room with the form.
    func join(_ name: String, at server: ServerProgram, room: String = "lobby") async throws {
        try await open(server.page + "#" + room)
        try await type(name, into: "#join-name")
        try await pressEnter()
        try await wait(for: "document.documentElement.dataset.view === 'chat'")
        try await waitUntilConnected()
    }

    func waitUntilConnected() async throws {
        try await wait(for: "document.querySelector('#connection').dataset.state === 'connected'")
    }

    /// Types a message and presses Enter.
    func say(_ text: String) async throws {
        try await type(text, into: "#message-text")
        try await pressEnter()
    }

    /// Waits until the page shows a message.
    func waitForMessage(_ text: String) async throws {
        let wanted = String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
        try await wait(
            for: """
                [...document.querySelectorAll('#log [data-message] .bubble')]
                  .some((one) => one.textContent === \(wanted))
                """)
    }

    /// Waits until somebody is in the room, or is not.
    func wait(for name: String, toBeHere isHere: Bool) async throws {
        try await wait(
            for: "Boolean(document.querySelector('#people li[data-name=\"\(name)\"]')) === \(isHere)")
    }
}

@Suite("The page in a browser", .serialized)
struct BrowserTests {
    /// A server and a browser for one test.
    private func browse(_ body: (Scene, ServerProgram, Chromium) async throws -> Void) async throws {
        try await Scene.run { scene in
            let server = try await scene.server()
            let browser = try await Chromium.start(in: scene)
            do {
                try await body(scene, server, browser)
            } catch {
                await browser.stop()
                throw error
            }
            await browser.stop()
        }
    }

    @Test("Two tabs chat over compressed sockets, and each sees the other join and leave")
    func twoTabs() async throws {
        try await browse { _, server, browser in
            let ann = try await browser.tab()
            try await ann.join("ann", at: server)
            #expect(try await ann.people() == ["ann"])
            let ben = try await browser.tab()
            try await ben.join("ben", at: server)
            try await ann.wait(for: "ben", toBeHere: true)
            #expect(try await ben.people() == ["ben", "ann"])
            #expect(try await ann.text(of: "#log [data-notice=presence]")?.contains("ben joined") == true)

            try await ann.say("Is the tide in?")
            try await ben.waitForMessage("Is the tide in?")
            try await ben.type("It", into: "#message-text")
            try await ann.wait(for: "document.querySelector('#typing').textContent === 'ben is typing'")
            try await ben.say("It is. Grüße, 海")
            try await ann.waitForMessage("It is. Grüße, 海")
            #expect(try await ann.messages() == ben.messages())
            #expect(try await ann.value("document.querySelectorAll('[data-message][data-own]').length") == 1)

            try await checkHandshake(of: ann)
            let origins = try await ann.tools.events(
                "Network.responseReceived", of: ann.session, as: Network.ResponseReceived.self)
            #expect(origins.count >= 9)
            #expect(
                origins.allSatisfy { $0.response.url.hasPrefix(server.page) && $0.response.status == 200 })

            try await ben.close()
            try await ann.wait(for: "ben", toBeHere: false)
            #expect(try await ann.text(of: "#people-count") == "1")
            #expect(
                try await ann.text(of: "#log [data-notice=presence]:last-child")?.contains("ben left") == true
            )
            #expect(try await ann.problems() == [])
        }
    }

    /// RFC 7692 §7.1: the server accepted the browser's offer.
    private func checkHandshake(of tab: Tab) async throws {
        let handshakes = try await tab.tools.events(
            "Network.webSocketHandshakeResponseReceived", of: tab.session,
            as: Network.WebSocketHandshakeResponseReceived.self)
        let first = try #require(handshakes.first).response
        #expect(handshakes.count == 1)
        #expect(first.status == 101)
        let fields = Dictionary(first.headers.map { ($0.key.lowercased(), $0.value) }) { one, _ in one }
        #expect(fields["sec-websocket-extensions"]?.hasPrefix("permessage-deflate") == true)
        let shown: String = try await tab.value("document.querySelector('#connection').dataset.extensions")
        #expect(shown.hasPrefix("permessage-deflate"))
    }

    @Test("After a restart of the server, the page reconnects and catches up")
    func restart() async throws {
        try await browse { scene, server, browser in
            let ann = try await browser.tab()
            try await ann.join("ann", at: server)
            try await ann.say("before")
            try await ann.waitForMessage("before")
            await server.stop()
            try await ann.wait(for: "document.querySelector('#connection').dataset.state === 'waiting'")
            #expect(try await ann.text(of: "#status") == "Connection lost")
            #expect(try await ann.text(of: "#retry-now") == "Try now")
            try await ann.say("written without a connection")
            #expect(try await ann.value("document.querySelectorAll('#log [data-unsent]').length") == 1)

            // Somebody sends a message while the page is disconnected: on another port, with the same database.
            let elsewhere = try await scene.server()
            let ben = try await Guest.join("ben", at: elsewhere)
            try await ben.say("meanwhile")
            await ben.socket.close()
            await elsewhere.stop()

            let again = try await scene.server(port: server.port)
            #expect(again.port == server.port)
            try await ann.waitUntilConnected()
            try await ann.waitForMessage("written without a connection")
            #expect(try await ann.messages() == ["before", "meanwhile", "written without a connection"])
            #expect(try await ann.value("document.querySelectorAll('#log [data-unsent]').length") == 0)
            #expect(try await ann.people() == ["ann"])

            try await ann.reload()
            try await ann.waitUntilConnected()
            #expect(try await ann.messages() == ["before", "meanwhile", "written without a connection"])
            #expect(try await ann.text(of: "#me") == "ann")
        }
    }

    @Test("A page at the newest message stays there if the composer grows while the list is scrolling")
    func staysAtTheBottom() async throws {
        try await browse { _, server, browser in
            let ann = try await browser.tab()
            try await ann.join("ann", at: server)
            for number in 1...20 { try await ann.say("line \(number)") }
            try await ann.waitForMessage("line 20")
            // The scroll event is dispatched after the size has changed, and before observers of the size are notified.
            try await ann.run(
                """
                document.querySelector('#log').scrollTop -= 20;
                const text = document.querySelector('#message-text');
                text.value = '1\\n2\\n3\\n4\\n5\\n6';
                text.dispatchEvent(new Event('input', { bubbles: true }));
                """)
            try await ann.run(
                "window.frames2 = 0; requestAnimationFrame(() => requestAnimationFrame(() => frames2 = 1))")
            try await ann.wait(for: "window.frames2 === 1")
            let away: Double = try await ann.value(
                "(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)"
                    + "(document.querySelector('#log'))")
            #expect(abs(away) <= 1)
        }
    }

    @Test("The page shows errors for invalid input, and the socket stays open")
    func badInput() async throws {
        try await browse { _, server, browser in
            let ann = try await Guest.join("ann", at: server)
            let tab = try await browser.tab()
            try await tab.open(server.page)
            try await tab.type("", into: "#join-name")
            try await tab.pressEnter()
            #expect(try await tab.text(of: "#join-error") == "Enter a name first.")
            #expect(try await tab.value("document.activeElement.id") == "join-name")
            try await tab.type("Ann", into: "#join-name")
            try await tab.pressEnter()
            try await tab.wait(for: "document.querySelector('#join-error').textContent.includes('already')")
            #expect(try await tab.value("document.querySelector('#join-name').ariaInvalid") == "true")
            // A name that only the server rejects: it contains an invisible character.
            try await tab.type("be\u{202E}n", into: "#join-name")
            try await tab.pressEnter()
            try await tab.wait(
                for: "document.querySelector('#join-error').textContent.includes('invisible')")
            try await tab.type("ben", into: "#join-name")
            try await tab.click("#join-button")
            try await tab.waitUntilConnected()
            #expect(try await tab.people() == ["ben", "ann"])

            try await tab.say(String(repeating: "long ", count: 820))
            #expect(try await tab.text(of: "#composer-error")?.contains("too long") == true)
            #expect(try await tab.text(of: "#counter") == "4,100 / 4,096")
            try await tab.say("   ")
            #expect(try await tab.text(of: "#composer-error") == "Write something first.")

            let markup =
                #"<img src=x onerror="document.title='had'"> <b>bold</b> & {{name}} https://example.org/<i>"#
            try await ann.say(markup)
            try await tab.waitForMessage(markup)
            #expect(
                try await tab.value("document.querySelectorAll('.bubble img, .bubble b, .bubble i').length")
                    == 0)
            let links: [String] = try await tab.value(
                "[...document.querySelectorAll('.bubble a')].map((one) => one.href)")
            #expect(links == ["https://example.org/"])
            #expect(try await tab.value("document.title") == "#lobby · OnePort Chat")

            // Everything used one socket, and the browser reported no problem.
            try await checkHandshake(of: tab)
            #expect(try await tab.problems() == [])
        }
    }
}
