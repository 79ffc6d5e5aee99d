import Foundation
import HTTPKit
import OnePort
import OnePortTesting
import Testing

/// An error with a text from a client.
private struct ChosenError: Error, CustomStringConvertible {
    let description: String
}

@Suite("Escaping in a browser", .serialized)
struct BrowserEscapingTests {
    @Test("Text from clients never becomes a tag or ends an attribute, even with combining characters")
    func pages() async throws {
        let templates = try Templates(texts: [
            "page": """
            <!doctype html><meta charset=utf-8><title>500</title><p title="{{name}}">{{name}}</p>
            <pre title='{{name}}'>{{name}}</pre>
            """
        ])
        let app = App(configuration: AppConfiguration())
        app.get("/page") { request in
            .html(try templates.render("page", ["name": try request.query.require("name")]))
        }
        app.get("/error") { request in
            throw ChosenError(description: try request.query.require("name"))
        }
        try await app.test(.live) { client in
            let port = try #require(client.address?.port)
            try await Scene.run { scene in
                let browser = try await Chromium.start(in: scene)
                do {
                    let tab = try await browser.tab()
                    for name in Self.names {
                        let query = PercentCoding.encode(name)
                        try await tab.open("http://127.0.0.1:\(port)/page?name=\(query)")
                        try await tab.wait(for: try Self.isText(name))
                        try await tab.wait(for: Self.isSameInAttributes)
                        try await tab.open("http://127.0.0.1:\(port)/error?name=\(query)")
                        try await tab.wait(for: try Self.isText(name))
                    }
                } catch {
                    await browser.stop()
                    throw error
                }
                await browser.stop()
            }
        }
    }

    private static let isSameInAttributes =
        "[...document.querySelectorAll('p, pre')].every((one) => one.title === one.textContent)"

    /// Most of these ran a script, or could have, if escaping worked on `Character`s.
    private static let names = [
        "\u{600}<img src=x onerror=window.owned=1>",
        "\"\u{301} autofocus tabindex=0 onfocus=window.owned=1 x=\"",
        "'\u{301} autofocus tabindex=0 onfocus=window.owned=1 x='",
        "\u{600}<script>window.owned=1\u{600}</script>",
        "\u{110BD}<svg\u{301} onload=window.owned=1>", "&lt;b&gt;", "&\u{301}lt;",
    ]

    /// Whether the page shows `name` as text.
    private static func isText(_ name: String) throws -> String {
        let text = String(decoding: try JSONEncoder().encode(name), as: UTF8.self)
        return """
            document.querySelector('pre').textContent.includes(\(text)) && window.owned === undefined
              && !document.querySelector('img, script, svg, [autofocus], [onfocus]')
            """
    }
}
