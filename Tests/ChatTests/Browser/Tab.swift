import Foundation

/// One tab and what a person does in it.
struct Tab: Sendable {
    let tools: DevTools
    let target: String
    let session: String

    /// What a page was waited for, and what it showed instead.
    struct Waited: Error, CustomStringConvertible {
        let condition: String
        let page: String
        var description: String {
            "“\(condition)” did not come true within \(patience); the page showed:\n\(page)"
        }
    }

    /// A script that the test runs in the page has thrown.
    struct ScriptError: Error, CustomStringConvertible {
        let description: String
    }

    private func call<Command: DevToolsCommand>(_ command: Command) async throws -> Command.Answer {
        try await tools.call(command, session: session)
    }

    /// From now on the tab's events come.
    func listen() async throws {
        _ = try await call(Enable.Page())
        _ = try await call(Enable.Network())
        _ = try await call(Enable.Runtime())
        _ = try await call(Enable.Log())
        try await resize(width: 1180, height: 780)
        try await prefers(dark: false)
    }

    // MARK: Pages

    /// Goes to an address and waits until the page and its scripts are there.
    func open(_ address: String) async throws {
        let answer = try await call(Page.Navigate(url: address))
        if let problem = answer.errorText { throw ScriptError(description: "\(address): \(problem)") }
        try await wait(for: "document.readyState === 'complete' && document.title")
    }

    func reload() async throws {
        // The old page must be gone before anything is asked of the new one.
        try await run("window.isOld = true")
        _ = try await call(Page.Reload())
        try await wait(for: "!window.isOld && document.readyState === 'complete'")
    }

    func close() async throws {
        _ = try await tools.call(Target.CloseTarget(targetId: target))
    }

    func resize(width: Int, height: Int, isPhone: Bool = false) async throws {
        _ = try await call(
            Emulation.SetDeviceMetricsOverride(width: width, height: height, mobile: isPhone))
    }

    /// What the person's system asks of pages: light or dark, and nothing that moves.
    func prefers(dark: Bool) async throws {
        _ = try await call(
            Emulation.SetEmulatedMedia(
                features: [
                    .init(name: "prefers-color-scheme", value: dark ? "dark" : "light"),
                    .init(name: "prefers-reduced-motion", value: "reduce"),
                ]))
    }

    /// A picture of the tab, as PNG.
    func screenshot() async throws -> Data {
        let answer = try await call(Page.CaptureScreenshot())
        guard let data = Data(base64Encoded: answer.data) else {
            throw ScriptError(description: "the screenshot is not base64")
        }
        return data
    }

    // MARK: Looking

    /// The value of an expression in the page.
    func value<Value: Decodable>(_ expression: String, as type: Value.Type = Value.self) async throws -> Value
    {
        let answer = try await call(
            Runtime.Evaluate(expression: "(async () => JSON.stringify(await (\(expression))))()"))
        if let problem = answer.exceptionDetails {
            throw ScriptError(description: "\(expression): \(problem)")
        }
        guard let json = answer.result.value else {
            throw ScriptError(description: "\(expression) is undefined")
        }
        return try JSONDecoder().decode(type, from: Data(json.utf8))
    }

    /// Runs statements in the page.
    func run(_ statements: String) async throws {
        _ = try await value("(() => { \(statements); return null })()", as: String?.self)
    }

    /// Waits until an expression is true; one that throws is not true yet.
    func wait(for condition: String) async throws {
        let deadline = ContinuousClock.now.advanced(by: patience)
        // The page itself looks, and does not tell before there is something to tell. Some seconds at a time: a page
        // that is left forgets what it was asked.
        let look = """
            new Promise((resolve) => {
              const end = Date.now() + 5000;
              const look = () => {
                let isTrue = false;
                try { isTrue = Boolean(\(condition)); } catch {}
                if (isTrue || Date.now() > end) resolve(isTrue); else setTimeout(look, 20);
              };
              look();
            })
            """
        while ContinuousClock.now < deadline {
            do {
                if try await value(look, as: Bool.self) { return }
            } catch DevToolsError.refused {
                // The page was left while it looked; the next one is asked.
            }
        }
        throw Waited(condition: condition, page: try await value("document.body.innerText"))
    }

    /// The text of the first element that fits; nil where it is hidden or none.
    func text(of selector: String) async throws -> String? {
        try await value(
            """
            (() => { const one = document.querySelector(\(literal(selector)));
              return one && one.checkVisibility({ visibilityProperty: true }) ? one.innerText : null })()
            """)
    }

    /// The texts of the messages in the page, oldest first.
    func messages() async throws -> [String] {
        try await value(
            "[...document.querySelectorAll('#log [data-message] .bubble')].map((one) => one.textContent)")
    }

    /// The names of those who are here.
    func people() async throws -> [String] {
        try await value("[...document.querySelectorAll('#people li')].map((one) => one.dataset.name)")
    }

    /// What the page's scripts have thrown, and what the browser complained about: nothing, as it should be.
    func problems() async throws -> [String] {
        let thrown = try await tools.events(
            "Runtime.exceptionThrown", of: session, as: Runtime.ExceptionThrown.self)
        let entries = try await tools.events("Log.entryAdded", of: session, as: Log.EntryAdded.self)
        return thrown.map(\.exceptionDetails.description)
            + entries.map(\.entry).filter { $0.level == "error" }.map { "\($0.text) \($0.url ?? "")" }
    }

    // MARK: Doing

    /// Replaces what is in a field by what a person would type.
    func type(_ text: String, into selector: String) async throws {
        try await run(
            "const field = document.querySelector(\(literal(selector))); field.focus(); field.select()")
        if text.isEmpty {
            try await press("Backspace", code: 8, text: nil)
        } else {
            _ = try await call(Input.InsertText(text: text))
        }
    }

    /// Presses a key.
    func press(_ key: String, code: Int, text: String?) async throws {
        for type in ["keyDown", "keyUp"] {
            _ = try await call(
                Input.DispatchKeyEvent(
                    type: type, key: key, code: key, windowsVirtualKeyCode: code,
                    text: type == "keyDown" ? text : nil))
        }
    }

    func pressEnter() async throws { try await press("Enter", code: 13, text: "\r") }

    func click(_ selector: String) async throws {
        try await run("document.querySelector(\(literal(selector))).click()")
    }

    /// A text as it stands in a script.
    private func literal(_ text: String) -> String {
        let data = (try? JSONEncoder().encode(text)) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }
}
