import Foundation

/// A tab and the actions of its user.
struct Tab: Sendable {
    let tools: DevTools
    let target: String
    let session: String

    /// A condition that did not become true in time, and what the page showed instead.
    struct Waited: Error, CustomStringConvertible {
        let condition: String
        let page: String
        var description: String {
            "“\(condition)” did not come true within \(patience); the page showed:\n\(page)"
        }
    }

    /// A script of the test threw an exception in the page.
    struct ScriptError: Error, CustomStringConvertible {
        let description: String
    }

    private func call<Command: DevToolsCommand>(_ command: Command) async throws -> Command.Output {
        try await tools.call(command, session: session)
    }

    /// Enables the tab's events.
    func listen() async throws {
        _ = try await call(Enable.Page())
        _ = try await call(Enable.Network())
        _ = try await call(Enable.Runtime())
        _ = try await call(Enable.Log())
        try await resize(width: 1180, height: 780)
        try await prefers(dark: false)
    }

    // MARK: Pages

    /// Opens an address and waits until the page and its scripts are loaded.
    func open(_ address: String) async throws {
        let output = try await call(Page.Navigate(url: address))
        if let problem = output.errorText { throw ScriptError(description: "\(address): \(problem)") }
        try await wait(for: "document.readyState === 'complete' && document.title")
    }

    func reload() async throws {
        // The old page must be gone before anything is evaluated in the new one.
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

    /// Sets the preferences of the user's system: light or dark, and reduced motion.
    func prefers(dark: Bool) async throws {
        _ = try await call(
            Emulation.SetEmulatedMedia(
                features: [
                    .init(name: "prefers-color-scheme", value: dark ? "dark" : "light"),
                    .init(name: "prefers-reduced-motion", value: "reduce"),
                ]))
    }

    /// A screenshot of the tab, as PNG.
    func screenshot() async throws -> Data {
        let output = try await call(Page.CaptureScreenshot())
        guard let data = Data(base64Encoded: output.data) else {
            throw ScriptError(description: "the screenshot is not base64")
        }
        return data
    }

    // MARK: Reading

    /// The value of an expression in the page.
    func value<Value: Decodable>(_ expression: String, as type: Value.Type = Value.self) async throws -> Value
    {
        let output = try await call(
            Runtime.Evaluate(expression: "(async () => JSON.stringify(await (\(expression))))()"))
        if let problem = output.exceptionDetails {
            throw ScriptError(description: "\(expression): \(problem)")
        }
        guard let json = output.result.value else {
            throw ScriptError(description: "\(expression) is undefined")
        }
        return try JSONDecoder().decode(type, from: Data(json.utf8))
    }

    /// Runs statements in the page.
    func run(_ statements: String) async throws {
        _ = try await value("(() => { \(statements); return null })()", as: String?.self)
    }

    /// Waits until an expression is true. An expression that throws is not true yet.
    func wait(for condition: String) async throws {
        let deadline = ContinuousClock.now.advanced(by: patience)
        // The page itself evaluates the expression repeatedly, and returns only when it is true or after some seconds: a
        // page that is left never returns.
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
            } catch DevToolsError.failed {
                // The page was left during the evaluation. Try again in the next one.
            }
        }
        throw Waited(condition: condition, page: try await value("document.body.innerText"))
    }

    /// The text of the first matching element, or `nil` if there is none or it is hidden.
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

    /// The names of the people in the room.
    func people() async throws -> [String] {
        try await value("[...document.querySelectorAll('#people li')].map((one) => one.dataset.name)")
    }

    /// The exceptions of the page's scripts and the browser's error messages. There should be none.
    func problems() async throws -> [String] {
        let thrown = try await tools.events(
            "Runtime.exceptionThrown", of: session, as: Runtime.ExceptionThrown.self)
        let entries = try await tools.events("Log.entryAdded", of: session, as: Log.EntryAdded.self)
        return thrown.map(\.exceptionDetails.description)
            + entries.map(\.entry).filter { $0.level == "error" }.map { "\($0.text) \($0.url ?? "")" }
    }

    // MARK: Actions

    /// Replaces the text of a field, as if the user typed it.
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

    /// A text as a literal in a script.
    private func literal(_ text: String) -> String {
        let data = (try? JSONEncoder().encode(text)) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }
}
