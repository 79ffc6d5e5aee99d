import Foundation

/// A headless Chromium with its own profile.
final class Chromium: Sendable {
    let tools: DevTools
    private let program: Program

    private init(tools: DevTools, program: Program) {
        self.tools = tools
        self.program = program
    }

    /// Starts the installed browser. Without one, the test must fail, because it would show nothing.
    ///
    /// - Parameter flags: More flags of the browser.
    static func start(in scene: Scene, flags: [String] = []) async throws -> Chromium {
        let program = try scene.start(
            executable(),
            [
                "--headless=new", "--no-sandbox", "--remote-debugging-port=0",
                "--user-data-dir=\(scene.folder.appendingPathComponent("profile").path)",
                // No first-run dialog, no updates, no prompts.
                "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
                "--disable-component-update", "--disable-default-apps", "--disable-extensions",
                "--disable-sync", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio",
                "--hide-scrollbars", "--force-color-profile=srgb", "--lang=en-US",
                // Background tabs are not throttled.
                "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
                "--disable-backgrounding-occluded-windows",
            ] + flags + ["about:blank"],
            environment: ["LANGUAGE": "en", "LC_ALL": "C.UTF-8", "TMPDIR": scene.folder.path])
        let marker = "DevTools listening on "
        let line = try await program.line(with: marker)
        let address = line.replacing(marker, with: "")
        return Chromium(tools: try await DevTools.connect(to: address), program: program)
    }

    private static func executable() throws -> URL {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
        for name in ["chromium", "chromium-browser", "google-chrome"] {
            for folder in folders {
                let path = "\(folder)/\(name)"
                if FileManager.default.isExecutableFile(atPath: path) { return URL(fileURLWithPath: path) }
            }
        }
        throw MissingProgram(
            description: """
                No chromium, chromium-browser or google-chrome in PATH. On Debian and Ubuntu the package \
                is chromium: apt-get install chromium
                """)
    }

    /// Opens a tab for another person. It shares nothing with other tabs, not even storage.
    func tab() async throws -> Tab {
        let context = try await tools.call(Target.CreateBrowserContext())
        let target = try await tools.call(Target.CreateTarget(browserContextId: context.browserContextId))
        let session = try await tools.call(Target.AttachToTarget(targetId: target.targetId))
        let tab = Tab(tools: tools, target: target.targetId, session: session.sessionId)
        try await tab.listen()
        return tab
    }

    /// Stops the browser. Its remaining processes are stopped with the scene.
    func stop() async {
        _ = try? await tools.call(Browser.Close())
        await program.stop()
    }
}
