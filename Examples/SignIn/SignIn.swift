import OnePort
import OnePortSessions

/// A page and its socket for people who have signed in. Signing out in one tab closes the sockets of all.
///
///     SESSION_SECRET=$(openssl rand -base64 32) swift run SignIn       # then open http://localhost:8080
@main struct SignIn {
    static func main() async throws {
        let secret = Setting(
            "session-secret", .text("at least 32 bytes"), environment: ["SESSION_SECRET"],
            help: "encrypts the cookies")
        let app = App(settings: [secret])
        let text = app.configuration["session-secret"] ?? ""
        try declare(on: app, secrets: text.isEmpty ? .random() : SessionSecrets(text))
        try await app.run()
    }
}

struct User: Sendable {
    let name: String
}

/// The routes, in a function of their own so that a test can serve them.
func declare(on app: App, secrets: SessionSecrets) throws {
    app.use(.csrfProtection(), .sessions(.cookie(secrets)), .signInPage("/sign-in"))
    app.use(.sessionUser { name, _ in User(name: name) })

    app.get("/sign-in") { request in
        let session = try request.session
        let messages = session.takeFlashes().map { "<p>\($0.text.htmlEscaped)</p>" }.joined()
        return .html(signInPage(messages, token: session.csrfToken))
    }
    app.group("/sign-in", .rateLimit(RateLimit(10, per: .seconds(60)), name: "sign-in")) { group in
        group.post("/") { request in
            let form = try await request.protectedForm()
            let session = try request.session
            // An application checks a password hash here, in `offload`.
            guard let name = form["name"], constantTimeEqual(form["password"] ?? "", "open sesame") else {
                session.flash("The name or the password is wrong.")
                return .seeOther(to: request.target)
            }
            session.signIn(name, remember: form["remember"] != nil)
            return .seeOther(to: request.nextPage())
        }
    }
    app.post("/sign-out") { request in
        try request.session.signOut()
        return .seeOther(to: "/sign-in")
    }
    app.get("/") { request in .html(page(of: try request.require(User.self))) }
    app.webSocket("/echo", admit: { try $0.require(User.self) }) { socket in
        try await socket.closeAtSignOut()
        for try await message in socket.messages(upTo: RateLimit(20, per: .seconds(1))) {
            try await socket.send("\(socket.state.name): \(message.text ?? "")")
        }
    }
}

private func signInPage(_ messages: String, token: String) -> String {
    """
    <!doctype html><meta charset="utf-8"><title>Sign in</title>\(messages)
    <form method="post">
    <input type="hidden" name="csrf" value="\(token)">
    <input name="name" placeholder="Name" required> <input name="password" type="password" placeholder="open sesame">
    <label><input type="checkbox" name="remember"> Remember me</label> <button>Sign in</button></form>
    """
}

private func page(of user: User) -> String {
    """
    <!doctype html><meta charset="utf-8"><title>Echo</title><h1>Hello, \(user.name.htmlEscaped)!</h1>
    <form method="post" action="/sign-out"><button>Sign out</button></form>
    <input autofocus placeholder="Say something"><ul></ul>
    <script>
    const socket = new WebSocket(location.origin.replace("http", "ws") + "/echo")
    const input = document.querySelector("input")
    const show = text => document.querySelector("ul").append(
      Object.assign(document.createElement("li"), { textContent: text }))
    input.onchange = () => { socket.send(input.value); input.value = "" }
    socket.onmessage = event => show(event.data)
    socket.onclose = event => show(event.reason || "the connection is closed")
    </script>
    """
}
