import Foundation
import HTTPKit
import NIOCore
import OnePort
import OnePortTLS
import Testing
import WSKit

@testable import ChatApp

@Suite("The chat over TLS in a browser", .serialized)
struct SecureBrowserTests {
    /// Makes a certificate for localhost that no browser trusts.
    private func certificate(in scene: Scene) async throws -> TLSSettings.Files {
        let files = TLSSettings.Files(
            certificate: scene.folder.appendingPathComponent("localhost.pem").path,
            key: scene.folder.appendingPathComponent("localhost.key").path)
        let openssl = try scene.start(
            URL(fileURLWithPath: "/usr/bin/env"),
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out",
                files.certificate, "-keyout", files.key ?? "",
            ])
        try #require(try await openssl.ended() == 0, "\(openssl.printed)")
        return files
    }

    /// Runs the chat with TLS in this process, so that its counters can be read.
    private func serve(
        _ scene: Scene, _ body: (_ app: App, _ port: Int) async throws -> Void
    ) async throws {
        let files = try await certificate(in: scene)
        let app = App(
            configuration: try AppConfiguration.parse(
                arguments: [
                    "Chat", "--root", Place.root.path, "--port=0", "--drain=1", "--log-level=error",
                    "--header-timeout", "\(patience.components.seconds)", "--tls-certificate",
                    files.certificate, "--tls-key", files.key ?? "",
                ], environment: [:]))
        let history = try History(path: scene.folder.appendingPathComponent("chat.sqlite").path)
        ChatServer.declare(on: app, history: history)
        app.tls()
        let started = AsyncStream.makeStream(of: Void.self)
        app.background("start") { started.continuation.yield() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.serve() }
            try await within("listening") { for await _ in started.stream { return } }
            let port = try #require(app.addresses.first?.port)
            try await body(app, port)
            group.cancelAll()
        }
    }

    @Test(
        "The page, its files and its socket share one connection: HTTP/2, and WebSocket on one of its streams"
    )
    func oneConnection() async throws {
        try await Scene.run { scene in
            try await serve(scene) { app, port in
                let browser = try await Chromium.start(in: scene, flags: ["--ignore-certificate-errors"])
                do {
                    try await chat(with: browser, app, "https://localhost:\(port)/")
                } catch {
                    await browser.stop()
                    throw error
                }
                await browser.stop()
            }
        }
    }

    private func chat(with browser: Chromium, _ app: App, _ page: String) async throws {
        let ann = try await browser.tab()
        try await ann.open(page + "#lobby")
        try await ann.type("ann", into: "#join-name")
        try await ann.pressEnter()
        try await ann.waitUntilConnected()
        try await ann.say("over one connection")
        try await ann.waitForMessage("over one connection")

        // The browser's view: all files over one connection of HTTP/2, and the socket with 200 (RFC 8441 §5).
        let responses = try await ann.tools.events(
            "Network.responseReceived", of: ann.session, as: Network.ResponseReceived.self
        ).map(\.response)
        #expect(responses.count >= 9)
        #expect(responses.allSatisfy { $0.url.hasPrefix(page) && $0.status == 200 && $0.protocol == "h2" })
        #expect(Set(responses.map(\.connectionId)).count == 1)
        let handshakes = try await ann.tools.events(
            "Network.webSocketHandshakeResponseReceived", of: ann.session,
            as: Network.WebSocketHandshakeResponseReceived.self)
        #expect(handshakes.map(\.response.status) == [200])
        let shown: String = try await ann.value("document.querySelector('#connection').dataset.extensions")
        #expect(shown.hasPrefix("permessage-deflate"))

        // The server's view.
        let counted = try #require(await app.statistics())
        #expect(counted.connections == 1 && counted.sockets == 1)

        // A tab that shares nothing with the first one has a connection of its own.
        let ben = try await browser.tab()
        try await ben.open(page + "#lobby")
        try await ben.type("ben", into: "#join-name")
        try await ben.pressEnter()
        try await ben.waitUntilConnected()
        try await ben.say("and another")
        try await ann.waitForMessage("and another")
        let both = try #require(await app.statistics())
        #expect(both.connections == 2 && both.sockets == 2)
        #expect(try await ann.problems() == [])
        #expect(try await ben.problems() == [])
    }
}
