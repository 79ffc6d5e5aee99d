import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("HSTS (RFC 6797)")
struct StrictTransportSecurityTests {
    private func responses(_ middleware: Middleware, scheme: String) throws -> [String] {
        let table = RouteTable()
        let routes = RouteGroup(table: table)
        routes.use(middleware)
        routes.get("/ok") { _ in .text("ok") }
        routes.get("/own") { _ in Response(fields: [.strictTransportSecurity: "max-age=0"]) }
        let router = try table.router()
        return try withWire(isProxy: true, { try await router.handler(for: $0)($0) }) { wire in
            ["/ok", "/own", "/missing"].map { path in
                wire.exchange("GET \(path) HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: \(scheme)\r\n\r\n")
            }
        }
    }

    @Test("the field stands in responses over https, errors too, and not over what a handler says itself")
    func https() throws {
        let responses = try responses(.strictTransportSecurity(), scheme: "https")
        let field = "\r\nStrict-Transport-Security: max-age=31536000\r\n"
        #expect(responses[0].has(field) && responses[2].has(field))
        #expect(responses[1].has("\r\nStrict-Transport-Security: max-age=0\r\n") && !responses[1].has(field))
    }

    @Test("it does not stand in responses over http (§7.2)")
    func http() throws {
        let responses = try responses(.strictTransportSecurity(), scheme: "http")
        #expect(
            !responses[0].has("Strict-Transport-Security") && !responses[2].has("Strict-Transport-Security"))
    }

    @Test("its directives")
    func directives() throws {
        let all = Middleware.strictTransportSecurity(
            maxAge: .seconds(60), includesSubdomains: true, preload: true)
        let response = try responses(all, scheme: "https")[0]
        #expect(response.has("\r\nStrict-Transport-Security: max-age=60; includeSubDomains; preload\r\n"))
        let negative = try responses(.strictTransportSecurity(maxAge: .seconds(-1)), scheme: "https")[0]
        #expect(negative.has("\r\nStrict-Transport-Security: max-age=0\r\n"))
    }
}
