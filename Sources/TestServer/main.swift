import HTTPKit
import Logging
import NIOPosix
import NIOCore
let table = RouteTable()
let routes = RouteGroup(table: table)
routes.get("/plaintext") { _ in .text("Hello, World!") }
routes.post("/echo") { request in .stream { writer in for try await chunk in request.body { try await writer.write(chunk) } } }
routes.post("/collect") { request in .text("\(try await request.body.collect().readableBytes)") }
struct E: Error {}
routes.get("/throw") { _ in throw E() }
let router = try table.router(fallback: nil)
let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
let server = HTTPServer(group: group) { try await router.respond(to: $0) }
print("listening on", try await server.start())
try await Task.sleep(for: .seconds(3600))
