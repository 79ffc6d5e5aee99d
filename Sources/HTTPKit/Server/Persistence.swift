import HTTPTypes

/// Whether a connection goes on after a message (RFC 9112 §9.3).
enum Persistence {
    /// Another request may follow.
    case goesOn
    /// It closes behind the response.
    case closes
    /// Its end is the end of the response's content (RFC 9112 §6.3).
    case endsContent

    /// What the request wants: HTTP/1.1 persists unless it says close, HTTP/1.0 only when it says keep-alive.
    static func isWanted(by head: RequestHead, _ options: ConnectionOptions) -> Bool {
        if options.contains(.close) { return false }
        // What follows a CONNECT would not be HTTP.
        if case .authority = head.form { return false }
        return head.version != .http10 || options.contains(.keepAlive)
    }

    /// Whether content that the handler left unread can be passed over, so that the next request is found behind it.
    static func canDiscard(_ body: BodyRemainder, limit: Int) -> Bool {
        switch body {
        case .none: true
        case .length(let bytes): bytes <= limit
        case .unknown: true
        case .notInvited: false
        }
    }
}

/// What is still to come of a request's content when its response is ready.
enum BodyRemainder: Equatable {
    case none
    case length(Int)
    /// Chunked: how much is known only when it ends.
    case unknown
    /// The client waits for a 100 that was never sent: it may send the content or not (RFC 9110 §10.1.1).
    case notInvited
}
