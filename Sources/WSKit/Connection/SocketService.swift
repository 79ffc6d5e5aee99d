import HTTPKit
import Logging

/// How the sockets of one endpoint are served.
struct SocketService {
    let limits: SharedLimits
    /// Who receives the messages.
    let consumer: WebSocketConnection.Consumer
    /// The topics to which the sockets can subscribe.
    let topics: (any TopicDirectory)?
    let logger: Logger
    /// The route, for logs.
    let route: String
}
