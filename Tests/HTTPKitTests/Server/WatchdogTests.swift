import NIOCore
import Testing

@testable import HTTPKit

@Suite("The watchdog names the handler that held the loop")
struct WatchdogTests {
    private static func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n" }

    /// Holds the loop of `request`, by its clock.
    private static func hold(_ request: Request, milliseconds: Int64 = 150) {
        request.connection.loop.clockOffset += milliseconds
    }

    private func respond(to request: Request, _ gate: Gate) async -> Response {
        switch request.path {
        case "/hold": Self.hold(request)
        case "/almost": Self.hold(request, milliseconds: 90)
        case "/then-wait":
            Self.hold(request)
            await gate.pass()
        case "/wait-then":
            await gate.pass()
            Self.hold(request)
        case "/child":
            async let child: Void = Self.hold(request)
            await child
        case "/group":
            await withTaskGroup { group in group.addTask { Self.hold(request) } }
        case "/stream":
            return .stream { writer in
                try await writer.write("a")
                Self.hold(request)
                try await writer.write("b")
            }
        case "/wait": await gate.pass()
        default: break
        }
        return .text("x")
    }

    @Test(
        "whatever ran before and behind it in the turn",
        arguments: [
            (["/fast"], []), (["/hold"], ["GET /hold"]), (["/almost"], []),
            (["/hold", "/fast"], ["GET /hold"]), (["/fast", "/hold", "/fast", "/fast"], ["GET /hold"]),
            (["/fast", "/hold", "/hold"], ["GET /hold", "GET /hold"]),
            (["/then-wait"], ["GET /then-wait"]), (["/wait-then"], ["GET /wait-then"]),
            (["/child"], ["GET /child"]), (["/group", "/fast"], ["GET /group"]),
            (["/stream", "/fast"], ["GET /stream"]),
        ])
    func named(paths: [String], expected: [String]) throws {
        let (notes, gate) = (Notes(), Gate())
        try withWire { request in
            await respond(to: request, gate)
        } test: { wire in
            wire.loop.onBlockedLoop = { milliseconds, route in
                notes.add(route)
                #expect((150..<170).contains(milliseconds))
            }
            wire.send(paths.map(Self.get).joined())
            gate.open()
            wire.settle()
            #expect(notes.lines == expected)
        }
    }

    @Test(
        "a handler that holds the loop when another connection has woken it, and in the same turn as others")
    func wokenByOthers() throws {
        let (notes, gate) = (Notes(), Gate())
        try withWire { _ in
            gate.open()
            return .text("x")
        } test: { wire in
            wire.loop.onBlockedLoop = { _, route in notes.add(route) }
            let others = try (0..<2).map { _ in
                try Wire(on: wire) { request in await respond(to: request, gate) }
            }
            defer { for other in others { other.finish() } }
            others[0].send(Self.get("/wait"))
            others[1].send(Self.get("/wait-then"))
            wire.send(Self.get("/open") + Self.get("/open"))
            #expect(notes.lines == ["GET /wait-then"])
        }
    }
}
