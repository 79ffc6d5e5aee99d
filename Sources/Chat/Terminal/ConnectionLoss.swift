import WSKit

/// Why there is no connection, in words for the person at the terminal.
enum ConnectionLoss: Equatable, CustomStringConvertible {
    /// It was there and ended.
    case ended
    /// It could not be made; time may mend that.
    case unreachable(String)
    /// What answers is no chat, or cannot be spoken to: trying again is of no use.
    case refused(String)

    /// Tells what time may mend from what it will not.
    init(_ error: any Error, address: String) {
        switch error {
        case ClientHandshakeError.status(let status, _) where status >= 500 || status == 408 || status == 429:
            self = .unreachable("the server is busy (it answered \(status))")
        case ClientHandshakeError.status(404, _):
            self = .refused("There is no chat at \(address). A room is at ws://host:port/rooms/lobby.")
        case let error as ClientHandshakeError:
            self = .refused("\(address) cannot be talked to: \(error).")
        case let error as WebSocketConnectError where error.address.isSecure:
            self = .refused("\(address) cannot be talked to: \(error.reason).")
        case let error as WebSocketConnectError:
            self = .unreachable("\(error.address.host):\(error.address.port) does not answer")
        case is WebSocketClosed: self = .ended
        default: self = .unreachable("no connection: \(error)")
        }
    }

    var description: String {
        switch self {
        case .ended: "the connection was lost"
        case .unreachable(let reason), .refused(let reason): reason
        }
    }
}
