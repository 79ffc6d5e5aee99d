import HTTPKit
package import HTTPTypes

/// Why a server's answer does not open a WebSocket (RFC 6455 §4.1).
public enum ClientHandshakeError: Error, Equatable, Sendable {
    /// A status other than 101. Redirects are not followed: the caller decides whom it trusts. `retryAfter` is what
    /// the server asks for with `Retry-After` (RFC 9110 §10.2.3).
    case status(Int, location: String?, retryAfter: Duration? = nil)
    /// `Upgrade` is not `websocket`, or the answer is one of HTTP/1.0, which has no upgrades.
    case upgrade
    /// `Connection` does not say `Upgrade`.
    case connection
    /// `Sec-WebSocket-Accept` is missing or does not answer the key.
    case accept
    /// A subprotocol that was not asked for.
    case subprotocol(String)
    /// An extension that was not offered, or with parameters that were not.
    case extensions(String)
    /// More interim responses (1xx) than `WebSocketClientOptions.maxInterimResponses`.
    case tooManyInterimResponses(limit: Int)
    /// The responses of the handshake are larger than `WebSocketClientOptions.maxHandshakeSize` bytes.
    case tooLarge(limit: Int)
}

extension ClientHandshakeError: CustomStringConvertible {
    /// What the server did wrong, in words. What the server sent is quoted and cut, so that it can be logged.
    public var description: String {
        switch self {
        case .status(let code, let location?, _):
            "the server answered \(code) and points to \(Self.quoted(location))"
        case .status(let code, nil, _): "the server answered \(code)"
        case .upgrade: "the response lacks Upgrade: websocket"
        case .connection: "the response lacks Connection: Upgrade"
        case .accept: "Sec-WebSocket-Accept does not match the key"
        case .subprotocol(let name):
            "the server chose a subprotocol that was not asked for: \(Self.quoted(name))"
        case .extensions(let value):
            "the server chose extensions that were not offered: \(Self.quoted(value))"
        case .tooManyInterimResponses(let limit): "the server sent more than \(limit) interim responses"
        case .tooLarge(let limit): "the server's handshake is larger than \(limit) bytes"
        }
    }

    private static func quoted(_ text: String) -> String {
        let scalars = text.unicodeScalars
        let start = String(String.UnicodeScalarView(scalars.prefix(200)))
        // `debugDescription` leaves C1 controls as they are, and terminals obey those too.
        let shown = start.unicodeScalars.map { (0x80...0x9F).contains($0.value) ? "\u{FFFD}" : String($0) }
        return shown.joined().debugDescription + (scalars.count > 200 ? "…" : "")
    }
}

/// The client's side of the opening handshake (RFC 6455 §4.1), a pure function of its random key.
package struct ClientHandshake: Sendable {
    /// What both ends agreed on.
    package struct Agreement: Equatable, Sendable {
        /// The subprotocol the server chose.
        package var subprotocol: String?
        /// What was agreed on for permessage-deflate; nil without.
        package var deflate: DeflateParameters?
    }

    private let key: String
    private let subprotocols: [String]
    private let offers: [DeflateOffer]

    /// A handshake.
    ///
    /// - Parameters:
    ///   - nonce: two random numbers, new for every connection: the 16 octets of the key.
    ///   - subprotocols: what the client asks for, best first.
    ///   - deflate: how it wants to compress.
    package init(nonce: (UInt64, UInt64), subprotocols: [String] = [], deflate: DeflateMode = .shared) {
        let octets = [nonce.0, nonce.1].flatMap { word in
            stride(from: UInt64(56), through: 0, by: -8).map { UInt8(truncatingIfNeeded: word &>> $0) }
        }
        key = Base64.encode(octets)
        self.subprotocols = subprotocols
        offers = DeflateNegotiation.offers(mode: deflate)
    }

    /// The fields of the request, without `Host`.
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

    /// Checks the server's answer.
    ///
    /// - Throws: the first rule that it breaks; the connection must be dropped then.
    package func check(
        status: Int, minorVersion: Int = 1, fields: HTTPFields
    ) throws(ClientHandshakeError) -> Agreement {
        guard status == 101 else {
            throw .status(
                status, location: fields[.location],
                retryAfter: fields[.retryAfter].flatMap { RetryAfter.parse($0, date: fields[.date]) })
        }
        // HTTP/1.0 knows no change of protocol (RFC 9110 §7.8).
        guard minorVersion > 0 else { throw .upgrade }
        guard fields[values: .upgrade].map({ $0.lowercased() }) == ["websocket"] else { throw .upgrade }
        guard FieldList.contains("upgrade", in: fields[values: .connection]) else { throw .connection }
        guard fields[values: .secWebSocketAccept] == [AcceptKey.answer(to: key)] else { throw .accept }
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
    /// The delay, or `nil` when the value is malformed. Never negative, and at most about 68 years, however large the
    /// number is.
    ///
    /// - Parameter date: the response's `Date`. A `Retry-After` that is a date is read against it, so that the clocks
    ///   of both ends need not agree; without it there is no delay.
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
