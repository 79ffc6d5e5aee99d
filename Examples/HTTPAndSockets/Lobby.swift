import HTTPKit
import WSKit

/// A page and its socket over HTTPKit and WSKit, without the application module. Both have the same path.
///
///     swift run HTTPAndSockets        # then open http://localhost:8080/lobby
@main
struct LobbyServer {
    static func main() async throws {
        var values = RequestValues()
        values[WebSocketDefaults.self] = WebSocketDefaults(rooms: Rooms())
        let server = try HTTPServer(values: values, routes: lobbyRoutes())
        try await server.run()
    }
}

/// The routes, in a function of their own so that a test can serve them on a free port.
func lobbyRoutes() -> Routes {
    let lobby = Rooms()["lobby"]
    let routes = Routes()
    routes.get("/lobby") { _ in .html(page) }
    routes.webSocket("/lobby") { socket in
        try await lobby.join(socket) { room in
            for try await message in socket.messages { room.publish(message) }
        }
    }
    return routes
}

private let page = """
    <!doctype html><meta charset="utf-8"><title>Lobby</title>
    <input autofocus placeholder="Say something"><ul></ul>
    <script>
    const socket = new WebSocket(location.href.replace("http", "ws"))
    const input = document.querySelector("input")
    input.onchange = () => { socket.send(input.value); input.value = "" }
    socket.onmessage = event => {
      const item = document.createElement("li")
      item.textContent = event.data
      document.querySelector("ul").append(item)
    }
    </script>
    """
