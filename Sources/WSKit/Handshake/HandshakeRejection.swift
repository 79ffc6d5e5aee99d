public import HTTPTypes

/// Why a request does not become a WebSocket, each rule with its answer (RFC 6455 §4.2.1, §4.2.2).
public enum HandshakeRejection: Error, Equatable, Sendable {
    /// A method other than GET.
    case method
    /// A version before HTTP/1.1.
    case httpVersion
    /// An ordinary request: `Upgrade: websocket` or `Connection: Upgrade` is missing.
    case notAnUpgrade
    /// No `Host`.
    case missingHost
    /// `Sec-WebSocket-Version` is missing or not 13.
    case version(String?)
    /// A client of the draft of 2010 (hixie-76), which sends `Sec-WebSocket-Key1` and `Key2`.
    case draft76
    /// `Sec-WebSocket-Key` is missing, given twice, or not 16 octets in base64.
    case key
    /// `Sec-WebSocket-Protocol` is not a list of different tokens.
    case subprotocols
    /// `Sec-WebSocket-Extensions` has a quoted string that never ends. Any other malformed offer is declined instead.
    case extensions
    /// The page's origin may not connect.
    case origin(String)

    /// The status of the answer.
    public var status: HTTPResponse.Status {
        switch self {
        case .method: .methodNotAllowed
        case .notAnUpgrade, .version: .upgradeRequired
        case .origin: .forbidden
        case .httpVersion, .missingHost, .draft76, .key, .subprotocols, .extensions: .badRequest
        }
    }

    /// Fields that the answer must have.
    public var fields: HTTPFields {
        switch self {
        case .method: [.allow: "GET"]
        case .notAnUpgrade: [.upgrade: "websocket", .connection: "Upgrade", .secWebSocketVersion: "13"]
        case .version: [.upgrade: "websocket", .connection: "Upgrade", .secWebSocketVersion: "13"]
        default: [:]
        }
    }

    /// What the client is told.
    public var message: String {
        switch self {
        case .method: "a WebSocket is opened with GET"
        case .httpVersion: "a WebSocket needs HTTP/1.1"
        case .notAnUpgrade: "a WebSocket endpoint: send Upgrade: websocket and Connection: Upgrade"
        case .missingHost: "Host is missing"
        case .version: "Sec-WebSocket-Version must be 13 (RFC 6455)"
        case .draft76:
            "the WebSocket draft hixie-76 is not spoken here: only RFC 6455, Sec-WebSocket-Version 13"
        case .key: "Sec-WebSocket-Key must be given once, 16 octets in base64"
        case .subprotocols: "Sec-WebSocket-Protocol must be a list of different tokens"
        case .extensions: "a quoted string in Sec-WebSocket-Extensions never ends"
        case .origin: "pages of this origin may not connect"
        }
    }
}
