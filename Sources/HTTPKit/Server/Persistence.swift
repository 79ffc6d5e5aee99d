import HTTPTypes

/// Whether a connection goes on after a message (RFC 9112 §9.3).
enum Persistence {
    /// What the request wants: HTTP/1.1 persists unless it says close, HTTP/1.0 only when it says keep-alive.
    static func wants(_ head: RequestHead) -> Bool {
        if head.connection.contains(.close) || head.method == .connect { return false }
        return head.minorVersion > 0 || head.connection.contains(.keepAlive)
    }

    /// Whether content that the handler left unread can be passed over, so that the next request is found behind it.
    static func canDiscard(_ body: BodyRemainder, limit: Int) -> Bool {
        switch body {
        case .none: true
        case .length(let octets): octets <= limit
        case .unknown: true
        case .notInvited: false
        }
    }
}

/// What is still to come of a request's content when its answer is ready.
enum BodyRemainder: Equatable {
    case none
    case length(Int)
    /// Chunked: how much is known only when it ends.
    case unknown
    /// The client waits for a 100 that was never sent: it may send the content or not (RFC 9110 §10.1.1).
    case notInvited
}
