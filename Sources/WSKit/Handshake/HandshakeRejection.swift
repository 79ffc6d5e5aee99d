public import HTTPTypes

/// Why a server rejects a WebSocket handshake, with the response for each case (RFC 6455 §4.2.1, §4.2.2).
public enum HandshakeRejection: Error, Equatable, Sendable {
    /// The method is not GET.
    case method
    /// The version is older than HTTP/1.1.
    case httpVersion
    /// This is an ordinary request: `Upgrade: websocket` or `Connection: Upgrade` is missing.
    case notAnUpgrade
    /// `Host` is missing.
    case missingHost
    /// `Sec-WebSocket-Version` is missing or not 13.
    case version(String?)
    /// The client speaks the draft of 2010 (hixie-76), with `Sec-WebSocket-Key1` and `Key2`.
    case draft76
    /// `Sec-WebSocket-Key` is missing, repeated, or not 16 bytes in base64.
    case key
    /// `Sec-WebSocket-Protocol` is not a list of distinct tokens.
    case subprotocols
    /// `Sec-WebSocket-Extensions` has a quoted string that never ends. Any other malformed offer is declined instead.
    case extensions
    /// Pages of this origin may not connect.
    case origin(String)

    /// The status of the response.
    public var status: HTTPResponse.Status {
        switch self {
        case .method: .methodNotAllowed
        case .notAnUpgrade, .version: .upgradeRequired
        case .origin: .forbidden
        case .httpVersion, .missingHost, .draft76, .key, .subprotocols, .extensions: .badRequest
        }
    }

    /// Header fields that the response must have.
    public var fields: HTTPFields {
        switch self {
        case .method: [.allow: "GET"]
        case .notAnUpgrade: [.upgrade: "websocket", .connection: "Upgrade", .secWebSocketVersion: "13"]
        case .version: [.upgrade: "websocket", .connection: "Upgrade", .secWebSocketVersion: "13"]
        default: [:]
        }
    }

    /// The message in the response.
    public var message: String {
        switch self {
        case .method: "a WebSocket handshake must use GET"
        case .httpVersion: "a WebSocket handshake needs HTTP/1.1"
        case .notAnUpgrade: "this is a WebSocket endpoint: send Upgrade: websocket and Connection: Upgrade"
        case .missingHost: "Host is missing"
        case .version: "Sec-WebSocket-Version must be 13 (RFC 6455)"
        case .draft76:
            "the WebSocket draft hixie-76 is not supported: use RFC 6455, Sec-WebSocket-Version 13"
        case .key: "Sec-WebSocket-Key must occur once, with 16 bytes in base64"
        case .subprotocols: "Sec-WebSocket-Protocol must be a list of distinct tokens"
        case .extensions: "a quoted string in Sec-WebSocket-Extensions never ends"
        case .origin: "pages of this origin may not connect"
        }
    }
}
