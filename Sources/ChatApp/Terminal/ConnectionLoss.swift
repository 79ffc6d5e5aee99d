import WSKit

/// Why there is no connection, in words for the user.
enum ConnectionLoss: Equatable, CustomStringConvertible {
    /// The connection was lost.
    case ended
    /// Connecting failed, and trying again may help.
    case unreachable(String)
    /// The address is not a chat, or connecting is impossible. Trying again does not help.
    case refused(String)

    /// Classifies an error by whether trying again may help.
    init(_ error: any Error, address: String) {
        let isTransient = ReconnectPolicy.isTransient(error)
        switch error {
        case ClientHandshakeError.status(let status, _, _) where isTransient:
            self = .unreachable("the server is busy (status \(status))")
        case ClientHandshakeError.status(404, _, _):
            self = .refused(
                "There is no chat at \(address). The address of a room looks like ws://host:port/rooms/lobby."
            )
        case let error as WebSocketConnectError where isTransient:
            self = .unreachable("\(error.address.host):\(error.address.port) cannot be reached")
        case let error as WebSocketConnectError:
            self = .refused("Cannot connect to \(address): \(error.reason).")
        case is WebSocketClosed where isTransient: self = .ended
        default: self = .refused("Cannot connect to \(address): \(error).")
        }
    }

    var description: String {
        switch self {
        case .ended: "the connection was lost"
        case .unreachable(let reason), .refused(let reason): reason
        }
    }
}
