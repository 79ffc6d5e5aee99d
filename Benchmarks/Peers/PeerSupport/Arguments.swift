/// The command line of all peers: `--host H --port P --threads N [--static DIR] [--tls-certificate F --tls-key F]`.
///
/// The options are those of OnePort's `TestServer`, so that the runner starts all servers in the same way. Unknown options
/// and their values are ignored.
public struct Arguments: Sendable {
    /// The address to listen on. Default `127.0.0.1`.
    public var host = "127.0.0.1"
    /// The port to listen on. Default 8080.
    public var port = 8080
    /// The number of event loops, if the peer has a setting for it. Default 1.
    public var threads = 1
    /// The folder served below `/static/`, if any.
    public var staticFolder: String?
    /// The PEM files for TLS, if the peer speaks it.
    public var certificate: String?
    public var key: String?

    /// Reads the process's own arguments.
    public init(_ arguments: [String] = CommandLine.arguments) {
        var rest = arguments.dropFirst()
        while let name = rest.popFirst(), let value = rest.popFirst() {
            switch name {
            case "--host": host = value
            case "--port": port = Int(value) ?? port
            case "--threads": threads = Int(value) ?? threads
            case "--static": staticFolder = value
            case "--tls-certificate": certificate = value
            case "--tls-key": key = value
            default: break
            }
        }
    }

    /// Prints the line that the runner waits for.
    public func announce() {
        print("listening on http://\(host):\(port)")
    }
}
