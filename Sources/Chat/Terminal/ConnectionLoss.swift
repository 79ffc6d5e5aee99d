import WSKit

/// Why there is no connection, in words for the person at the terminal.
enum ConnectionLoss: Equatable, CustomStringConvertible {
    /// It was there and ended.
    case ended
    /// It could not be made; time may mend that.
    case unreachable(String)
    /// What responds is no chat, or cannot be spoken to: trying again is of no use.
    case refused(String)

    /// Tells what time may mend from what it will not.
    init(_ error: any Error, address: String) {
        let isTransient = ReconnectPolicy.isTransient(error)
        switch error {
        case ClientHandshakeError.status(let status, _, _) where isTransient:
            self = .unreachable("the server is busy (it answered \(status))")
        case ClientHandshakeError.status(404, _, _):
            self = .refused("There is no chat at \(address). A room is at ws://host:port/rooms/lobby.")
        case let error as WebSocketConnectError where isTransient:
            self = .unreachable("\(error.address.host):\(error.address.port) does not answer")
        case let error as WebSocketConnectError:
            self = .refused("\(address) cannot be talked to: \(error.reason).")
        case is WebSocketClosed where isTransient: self = .ended
        default: self = .refused("\(address) cannot be talked to: \(error).")
        }
    }

    var description: String {
        switch self {
        case .ended: "the connection was lost"
        case .unreachable(let reason), .refused(let reason): reason
        }
    }
}
