import Foundation
import Testing
import WSKit

@testable import ChatApp

/// The look of the page, as far as a program can check it, and screenshots for people.
///
/// `UPDATE_SCREENSHOT=1 swift test --filter LookTests` updates docs/chat.png. `SCREENSHOTS=folder` also saves the dark page
/// and the phone layout there. Without these variables, the tests leave no files.
@Suite("The look of the page")
struct LookTests {
    private static let talk: [(name: String, text: String)] = [
        ("mia", "Morning! Who is on the early ferry tomorrow?"),
        ("finn", "I am. Leaving the north pier at 6:40, back before noon."),
        ("finn", "There is room for two more and any number of boxes."),
        ("ann", "Then count me in. I will bring the charts and coffee."),
        ("mia", "Thank you! The forecast: https://weather.example/harbour\nLight wind, fog until eight."),
        ("finn", "Fog is fine, we have the bell."),
        ("ann", "Agreed. See you both at the pier."),
    ]

    @Test("A conversation of three people, in light and dark mode and on a phone")
    func pictures() async throws {
        try await Scene.run { scene in
            let server = try await scene.server()
            let browser = try await Chromium.start(in: scene)
            let tab = try await browser.tab()
            try await furnish(tab, at: server)

            let light = try await picture(of: tab, width: 1180, height: 780)
            try keep(light, as: "light.png")
            if ProcessInfo.processInfo.environment["UPDATE_SCREENSHOT"] == "1" {
                try light.write(to: Place.root.appendingPathComponent("docs/chat.png"))
            }

            let paper: String = try await tab.value("getComputedStyle(document.body).backgroundColor")
            try await tab.prefers(dark: true)
            let dark = try await picture(of: tab, width: 1180, height: 780)
            try keep(dark, as: "dark.png")
            #expect(try await tab.value("getComputedStyle(document.body).backgroundColor") != paper)
            #expect(dark != light)

            try await tab.prefers(dark: false)
            try await tab.resize(width: 390, height: 780, isPhone: true)
            #expect(try await tab.text(of: "#people") == nil, "the list of people is behind a button")
            try keep(try await picture(of: tab, width: 390, height: 780, isPhone: true), as: "phone.png")
            try await tab.click("#side-open")
            try await tab.wait(
                for: "document.querySelector('#people').checkVisibility({visibilityProperty: true})")
            try keep(
                try await picture(of: tab, width: 390, height: 780, isPhone: true), as: "phone-people.png")
            try await tab.press("Escape", code: 27, text: nil)
            try await tab.wait(for: "!document.documentElement.dataset.side")
            #expect(try await tab.value("document.activeElement.id") == "side-open")
            await browser.stop()
        }
    }

    @Test("The form with an error, and a room without a connection, at both widths")
    func troubles() async throws {
        try await Scene.run { scene in
            let server = try await scene.server()
            let browser = try await Chromium.start(in: scene)
            let tab = try await browser.tab()
            try await tab.open(server.page)
            try await tab.type("", into: "#join-name")
            try await tab.pressEnter()
            try keep(try await picture(of: tab, width: 1180, height: 780), as: "form.png")
            try keep(try await picture(of: tab, width: 320, height: 560, isPhone: true), as: "form-phone.png")
            try await tab.join("ann", at: server)
            try await tab.say("Hello?")
            try await tab.waitForMessage("Hello?")
            await server.stop()
            try await tab.wait(for: "document.querySelector('#connection').dataset.state === 'waiting'")
            try await tab.say("Still there?")
            try await tab.type(String(repeating: "word ", count: 900), into: "#message-text")
            try await tab.pressEnter()
            try keep(try await picture(of: tab, width: 1180, height: 780), as: "lost.png")
            try keep(try await picture(of: tab, width: 320, height: 560, isPhone: true), as: "lost-phone.png")
            await browser.stop()
        }
    }

    /// Creates a conversation of three people, one of whom is typing.
    private func furnish(_ tab: Tab, at server: ServerProgram) async throws {
        var guests: [String: Guest] = [:]
        for name in ["mia", "finn"] { guests[name] = try await Guest.join(name, at: server, room: "harbour") }
        for line in Self.talk.prefix(3) { try await guests[line.name]?.say(line.text) }
        for room in ["lobby", "workshop", "harbour"] { try await tab.visit(room, as: "ann", at: server) }
        for line in Self.talk.dropFirst(3) {
            if let guest = guests[line.name] {
                try await guest.say(line.text)
            } else {
                try await tab.say(line.text)
            }
            try await tab.waitForMessage(line.text)
        }
        try await guests["finn"]?.send(.typing)
        try await tab.wait(for: "document.querySelector('#typing').textContent")
    }

    /// A screenshot of the given size. Checks that nothing overflows at the side.
    private func picture(
        of tab: Tab, width: Int, height: Int, isPhone: Bool = false
    ) async throws -> Data {
        try await tab.resize(width: width, height: height, isPhone: isPhone)
        try await tab.wait(for: "innerWidth === \(width) && innerHeight === \(height)")
        #expect(try await tab.value("document.documentElement.scrollWidth") == width)
        let cut: [String] = try await tab.value(
            """
            [...document.querySelectorAll('main *, aside *')]
              .filter((one) => one.checkVisibility({ visibilityProperty: true }) && one.getBoundingClientRect().right > innerWidth + 1)
              .map((one) => one.id || one.className)
            """)
        #expect(cut == [])
        let data = try await tab.screenshot()
        let size = try #require(PNG.size(of: data))
        #expect(size.width == width && size.height == height)
        return data
    }

    private func keep(_ picture: Data, as name: String) throws {
        guard let folder = ProcessInfo.processInfo.environment["SCREENSHOTS"] else { return }
        try picture.write(to: URL(fileURLWithPath: folder).appendingPathComponent(name))
    }
}

extension Tab {
    /// Opens a room: with the form at first, then by its address.
    fileprivate func visit(_ room: String, as name: String, at server: ServerProgram) async throws {
        if try await value("document.documentElement.dataset.view === 'chat'", as: Bool.self) {
            try await run("location.hash = '\(room)'")
            try await wait(for: "document.querySelector('#room-title').textContent === '\(room)'")
        } else {
            try await join(name, at: server, room: room)
        }
    }
}

/// The head of a PNG file (ISO 15948 §5).
private enum PNG {
    static func size(of data: Data) -> (width: Int, height: Int)? {
        let bytes = [UInt8](data.prefix(24))
        guard bytes.count == 24, bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) else {
            return nil
        }
        func number(at offset: Int) -> Int { bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } }
        return (number(at: 16), number(at: 20))
    }
}
