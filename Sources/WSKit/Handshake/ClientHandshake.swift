package import HTTPTypes

/// Why a server's answer does not open a WebSocket (RFC 6455 §4.1).
public enum ClientHandshakeError: Error, Equatable, Sendable {
    /// A status other than 101. Redirects are not followed: the caller decides whom it trusts.
    case status(Int, location: String?)
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
}

extension ClientHandshakeError: CustomStringConvertible {
    /// What the server did wrong, in words.
    public var description: String {
        switch self {
        case .status(let code, let location?): "the server answered \(code) and points to \(location)"
        case .status(let code, nil): "the server answered \(code)"
        case .upgrade: "the answer lacks Upgrade: websocket"
        case .connection: "the answer lacks Connection: Upgrade"
        case .accept: "Sec-WebSocket-Accept does not answer the key"
        case .subprotocol(let name): "the server chose a subprotocol that was not asked for: \(name)"
        case .extensions(let value): "the server chose extensions that were not offered: \(value)"
        }
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
    /// - Throws: the first rule that it breaks; the connection is to be dropped then.
    package func check(
        status: Int, minorVersion: Int = 1, fields: HTTPFields
    ) throws(ClientHandshakeError) -> Agreement {
        guard status == 101 else { throw .status(status, location: fields[.location]) }
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
