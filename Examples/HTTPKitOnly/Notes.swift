import HTTPKit
import HTTPTypes
import Synchronization

/// A small REST API over HTTPKit alone: no application module, no flags, no templates.
///
///     swift run HTTPKitOnly
///     curl -d 'buy milk' http://localhost:8080/notes
///     curl http://localhost:8080/notes/1
@main
struct NotesServer {
    static func main() async throws {
        let server = try HTTPServer(routes: notesRoutes())
        try await server.run()
    }
}

/// The routes, in a function of their own so that a test can serve them on a free port.
func notesRoutes() -> Routes {
    let notes = Notes()
    let routes = Routes()
    routes.post("/notes") { request in
        let number = notes.add(try await request.body.text())
        return Response(status: .created, fields: [.location: "/notes/\(number)"])
    }
    routes.get("/notes/{number}") { request in
        let number = try request.parameters.require("number", as: Int.self)
        guard let note = notes[number] else { throw HTTPFailure(.notFound, "there is no note \(number)") }
        return .text(note)
    }
    return routes
}

/// Notes in memory, counted from 1.
private final class Notes: Sendable {
    private let all = Mutex<[String]>([])

    func add(_ note: String) -> Int {
        all.withLock { notes in
            notes.append(note)
            return notes.count
        }
    }

    subscript(number: Int) -> String? {
        all.withLock { $0.indices.contains(number - 1) ? $0[number - 1] : nil }
    }
}
