/// Which end of the connection this is: a client masks every frame, a server must not (RFC 6455 §5.1).
package enum Role: Sendable {
    case server
    case client
}
