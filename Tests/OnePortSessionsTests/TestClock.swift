import OnePort
import OnePortSessions
import OnePortTesting
import Synchronization
import Testing

/// A clock that stands until a test moves it.
final class TestClock: Sendable {
    private let seconds = Mutex<Int64>(1_800_000_000)

    var now: Int64 { seconds.withLock { $0 } }

    func advance(_ count: Int64) { seconds.withLock { $0 += count } }

    /// Options with this clock.
    func options(_ configure: (inout SessionOptions) -> Void = { _ in }) -> SessionOptions {
        SessionOptions { options in
            options.now = { HTTPDate(secondsSinceEpoch: self.now) }
            configure(&options)
        }
    }
}

/// An application that signs in, keeps a number and shows messages.
enum TestApp {
    enum Number: SessionKey {
        typealias Value = Int
        static let name = "number"
    }

    enum Notes: SessionKey { typealias Value = [String] }

    static let secret = "a secret of at least thirty-two bytes"
    static let otherSecret = "another secret of that many bytes, or more"

    static func make(_ storage: SessionStorage, _ options: SessionOptions) throws -> App {
        var configuration = AppConfiguration()
        configuration.trustedProxies = [try #require(AddressRange("127.0.0.1"))]
        let app = App(configuration: configuration)
        app.use(.sessions(storage, options))
        app.post("/in/{user}") { request in
            let remember = try request.query["remember"] != nil
            try request.session.signIn(request.parameters.require("user"), remember: remember)
            return .noContent
        }
        app.post("/out") { request in
            try request.session.signOut()
            return .noContent
        }
        app.get("/me") { .text(try $0.session.user ?? "nobody") }
        app.get("/plain") { _ in .text("plain") }
        app.post("/number") { request in
            let session = try request.session
            session[Number.self, default: 0] += 1
            return .text("\(session[Number.self, default: 0])")
        }
        app.get("/number") { .text("\(try $0.session[Number.self] ?? 0)") }
        app.post("/notes/{length}") { request in
            let length = try request.parameters.require("length", as: Int.self)
            try request.session[Notes.self] = [String(repeating: "x", count: length)]
            return .noContent
        }
        app.post("/flash/{text}") { request in
            try request.session.flash(request.parameters.require("text"))
            return .noContent
        }
        app.get("/flashes") { .text(try $0.session.takeFlashes().map(\.text).joined(separator: ",")) }
        app.post("/fail") { request in
            try request.session.signOut()
            throw HTTPFailure(.conflict, "no")
        }
        return app
    }

    /// Both ways to keep sessions.
    static var storages: [SessionStorage] {
        get throws { [.cookie(try SessionSecrets(secret)), .store(MemorySessionStore())] }
    }
}

extension TestResponse {
    /// The value of the session's cookie that this response sets.
    var cookie: String? { fields[.setCookie] }
}
