// The commands of the DevTools protocol that the tests use, grouped as in the protocol.

/// An empty result, or empty parameters.
struct Nothing: Codable, Sendable {}

enum Target {
    struct CreateBrowserContext: DevToolsCommand {
        static let method = "Target.createBrowserContext"
        struct Output: Decodable { let browserContextId: String }
    }

    struct CreateTarget: DevToolsCommand {
        static let method = "Target.createTarget"
        var url = "about:blank"
        let browserContextId: String
        struct Output: Decodable { let targetId: String }
    }

    struct AttachToTarget: DevToolsCommand {
        static let method = "Target.attachToTarget"
        let targetId: String
        /// One socket for all tabs. Each command names its session.
        var flatten = true
        struct Output: Decodable { let sessionId: String }
    }

    struct CloseTarget: DevToolsCommand {
        static let method = "Target.closeTarget"
        let targetId: String
        typealias Output = Nothing
    }
}

/// A command without parameters and result, such as `Network.enable`.
enum Enable {
    struct Page: DevToolsCommand {
        static let method = "Page.enable"
        typealias Output = Nothing
    }
    struct Network: DevToolsCommand {
        static let method = "Network.enable"
        typealias Output = Nothing
    }
    struct Runtime: DevToolsCommand {
        static let method = "Runtime.enable"
        typealias Output = Nothing
    }
    struct Log: DevToolsCommand {
        static let method = "Log.enable"
        typealias Output = Nothing
    }
}

enum Page {
    struct Navigate: DevToolsCommand {
        static let method = "Page.navigate"
        let url: String
        struct Output: Decodable { let errorText: String? }
    }

    struct Reload: DevToolsCommand {
        static let method = "Page.reload"
        typealias Output = Nothing
    }

    struct CaptureScreenshot: DevToolsCommand {
        static let method = "Page.captureScreenshot"
        var format = "png"
        struct Output: Decodable { let data: String }
    }
}

enum Runtime {
    struct Evaluate: DevToolsCommand {
        static let method = "Runtime.evaluate"
        let expression: String
        var awaitPromise = true
        var returnByValue = true

        struct Output: Decodable {
            struct Result: Decodable { let value: String? }
            let result: Result
            let exceptionDetails: Exception?
        }
    }

    /// An exception of a script.
    struct Exception: Decodable, CustomStringConvertible {
        struct Thrown: Decodable { let description: String? }
        let text: String
        let exception: Thrown?
        var description: String { exception?.description ?? text }
    }

    /// The parameters of `Runtime.exceptionThrown`.
    struct ExceptionThrown: Decodable { let exceptionDetails: Exception }
}

enum Log {
    /// The parameters of `Log.entryAdded`: a message of the browser about a page.
    struct EntryAdded: Decodable {
        struct Entry: Decodable {
            let level: String
            let text: String
            let url: String?
        }
        let entry: Entry
    }
}

enum Network {
    /// The parameters of `Network.webSocketHandshakeResponseReceived`.
    struct WebSocketHandshakeResponseReceived: Decodable {
        struct Response: Decodable {
            let status: Int
            let headers: [String: String]
        }
        let response: Response
    }

    /// The parameters of `Network.responseReceived`.
    struct ResponseReceived: Decodable {
        struct Response: Decodable {
            let url: String
            let status: Int
            /// The protocol of the connection, such as `h2`.
            let `protocol`: String?
            /// The number of the connection in the browser.
            let connectionId: Double
        }
        let response: Response
    }
}

enum Emulation {
    struct SetDeviceMetricsOverride: DevToolsCommand {
        static let method = "Emulation.setDeviceMetricsOverride"
        let width: Int
        let height: Int
        var deviceScaleFactor = 1
        var mobile = false
        typealias Output = Nothing
    }

    struct SetEmulatedMedia: DevToolsCommand {
        static let method = "Emulation.setEmulatedMedia"
        struct Feature: Encodable, Sendable {
            let name: String
            let value: String
        }
        let features: [Feature]
        typealias Output = Nothing
    }
}

enum Input {
    struct InsertText: DevToolsCommand {
        static let method = "Input.insertText"
        let text: String
        typealias Output = Nothing
    }

    struct DispatchKeyEvent: DevToolsCommand {
        static let method = "Input.dispatchKeyEvent"
        /// `keyDown` or `keyUp`.
        let type: String
        let key: String
        let code: String
        let windowsVirtualKeyCode: Int
        let text: String?
        typealias Output = Nothing
    }
}

enum Browser {
    struct Close: DevToolsCommand {
        static let method = "Browser.close"
        typealias Output = Nothing
    }
}
