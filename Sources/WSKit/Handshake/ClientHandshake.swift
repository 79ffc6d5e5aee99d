import HTTPKit
package import HTTPTypes

/// Why a server's response does not open a WebSocket (RFC 6455 §4.1).
public enum ClientHandshakeError: Error, Equatable, Sendable {
    /// The status is not 101. Redirects are not followed: the caller decides which servers to trust. `retryAfter` is
    /// the delay of the response's `Retry-After` (RFC 9110 §10.2.3).
    case status(Int, location: String?, retryAfter: Duration? = nil)
    /// `Upgrade` is not `websocket`, or the response is an HTTP/1.0 response, which cannot upgrade.
    case upgrade
    /// `Connection` does not contain `Upgrade`.
    case connection
    /// `Sec-WebSocket-Accept` is missing or does not match the key.
    case accept
    /// The server chose a subprotocol that the client did not offer.
    case subprotocol(String)
    /// The server chose an extension or parameters that the client did not offer.
    case extensions(String)
    /// More interim responses (1xx) than `WebSocketClientOptions.maxInterimResponses`.
    case tooManyInterimResponses(limit: Int)
    /// The responses of the handshake are larger than `WebSocketClientOptions.maxHandshakeSize` bytes.
    case tooLarge(limit: Int)
}

extension ClientHandshakeError: CustomStringConvertible {
    /// A description for logs. Text from the server is quoted and shortened.
    public var description: String {
        switch self {
        case .status(let code, let location?, _):
            "the server responded with \(code) and redirects to \(Self.quoted(location))"
        case .status(let code, nil, _): "the server responded with \(code)"
        case .upgrade: "the response lacks Upgrade: websocket"
        case .connection: "the response lacks Connection: Upgrade"
        case .accept: "Sec-WebSocket-Accept does not match the key"
        case .subprotocol(let name):
            "the server chose a subprotocol that was not offered: \(Self.quoted(name))"
        case .extensions(let value):
            "the server chose extensions that were not offered: \(Self.quoted(value))"
        case .tooManyInterimResponses(let limit): "the server sent more than \(limit) interim responses"
        case .tooLarge(let limit): "the server's handshake is larger than \(limit) bytes"
        }
    }

    private static func quoted(_ text: String) -> String {
        let scalars = text.unicodeScalars
        let start = String(String.UnicodeScalarView(scalars.prefix(200)))
        // `debugDescription` does not escape C1 control characters, but terminals interpret them.
        let shown = start.unicodeScalars.map { (0x80...0x9F).contains($0.value) ? "\u{FFFD}" : String($0) }
        return shown.joined().debugDescription + (scalars.count > 200 ? "…" : "")
    }
}

/// The client's side of the opening handshake (RFC 6455 §4.1), without I/O. The random key is passed in.
package struct ClientHandshake: Sendable {
    /// What both ends agreed on.
    package struct Agreement: Equatable, Sendable {
        /// The subprotocol that the server chose; `nil` if none.
        package var subprotocol: String?
        /// The parameters of permessage-deflate; `nil` if it was not negotiated.
        package var deflate: DeflateParameters?
    }

    private let key: String
    private let subprotocols: [String]
    private let offers: [DeflateOffer]

    /// Creates a handshake.
    ///
    /// - Parameters:
    ///   - nonce: two random numbers, new for every connection: the 16 bytes of the key.
    ///   - subprotocols: the subprotocols that the client offers, in order of preference.
    ///   - deflate: how the client wants to compress.
    package init(nonce: (UInt64, UInt64), subprotocols: [String] = [], deflate: DeflateMode = .shared) {
        let bytes = [nonce.0, nonce.1].flatMap { word in
            stride(from: UInt64(56), through: 0, by: -8).map { UInt8(truncatingIfNeeded: word &>> $0) }
        }
        key = Base64.encode(bytes)
        self.subprotocols = subprotocols
        offers = DeflateNegotiation.offers(mode: deflate)
    }

    /// The header fields of the request, without `Host`.
    package var requestFields: HTTPFields {
        var fields: HTTPFields = [
            .upgrade: "websocket", .connection: "Upgrade", .secWebSocketKey: key, .secWebSocketVersion: "13",
        ]
        if !subprotocols.isEmpty { fields[.secWebSocketProtocol] = subprotocols.joined(separator: ", ") }
        if !offers.isEmpty {
            fields[.secWebSocketExtensions] = offers.map(\.fieldValue).joined(separator: ", ")
        }
        return fields
    }

    /// Checks the server's response.
    ///
    /// - Throws: the first violation. The caller must then close the connection.
    package func check(
        status: Int, minorVersion: Int = 1, fields: HTTPFields
    ) throws(ClientHandshakeError) -> Agreement {
        guard status == 101 else {
            throw .status(
                status, location: fields[.location],
                retryAfter: fields[.retryAfter].flatMap { RetryAfter.parse($0, date: fields[.date]) })
        }
        // HTTP/1.0 has no protocol upgrade (RFC 9110 §7.8).
        guard minorVersion > 0 else { throw .upgrade }
        guard fields[values: .upgrade].map({ $0.lowercased() }) == ["websocket"] else { throw .upgrade }
        guard FieldList.contains("upgrade", in: fields[values: .connection]) else { throw .connection }
        guard fields[values: .secWebSocketAccept] == [AcceptKey.value(for: key)] else { throw .accept }
        return Agreement(subprotocol: try subprotocol(fields), deflate: try deflate(fields))
    }

    private func subprotocol(_ fields: HTTPFields) throws(ClientHandshakeError) -> String? {
        let chosen = fields[values: .secWebSocketProtocol]
        guard let name = chosen.first else { return nil }
        guard chosen.count == 1, subprotocols.contains(name) else {
            throw .subprotocol(chosen.joined(separator: ", "))
        }
        return name
    }

    private func deflate(_ fields: HTTPFields) throws(ClientHandshakeError) -> DeflateParameters? {
        let values = fields[values: .secWebSocketExtensions]
        guard let extensions = ExtensionOffer.parse(values), extensions.count <= 1 else {
            throw .extensions(values.joined(separator: ", "))
        }
        guard let chosen = extensions.first else { return nil }
        guard let parameters = DeflateNegotiation.check(chosen, offers: offers) else {
            throw .extensions(values.joined(separator: ", "))
        }
        return parameters
    }
}

/// `Retry-After = HTTP-date / delay-seconds` (RFC 9110 §10.2.3).
enum RetryAfter {
    /// The delay, or `nil` if the value is malformed. It is never negative and at most about 68 years.
    ///
    /// - Parameter date: the response's `Date`. A date in `Retry-After` is compared with it, so that the clocks of both
    ///   ends need not agree. Without it, a date gives `nil`.
    static func parse(_ value: String, date: String?) -> Duration? {
        if !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            return .seconds(min(Int64(value) ?? longest, longest))
        }
        let epoch = HTTPDate(secondsSinceEpoch: 0)
        guard let now = date.flatMap({ HTTPDate(parsing: $0, now: epoch) }),
            let then = HTTPDate(parsing: value, now: now)
        else { return nil }
        return .seconds(min(max(then.secondsSinceEpoch - now.secondsSinceEpoch, 0), longest))
    }

    private static let longest = Int64(Int32.max)
}
