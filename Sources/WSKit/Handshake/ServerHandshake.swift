import HTTPKit
package import HTTPTypes

/// The server's side of the opening handshake (RFC 6455 §4.2), without I/O.
package struct ServerHandshake: Sendable {
    /// The subprotocols of the endpoint, in order of preference.
    package var subprotocols: [String]
    /// How the endpoint compresses.
    package var deflate: DeflateMode
    /// Which pages may connect.
    package var origin: OriginPolicy

    /// The result of an accepted request.
    package struct Acceptance: Equatable, Sendable {
        /// The header fields of the response that §4.2.2 or RFC 8441 requires.
        package var fields: HTTPFields
        /// The chosen subprotocol; `nil` if the client offered none that the endpoint supports.
        package var subprotocol: String?
        /// The parameters of permessage-deflate; `nil` if it was not negotiated.
        package var deflate: DeflateParameters?
    }

    /// Creates a handshake for an endpoint.
    package init(
        subprotocols: [String] = [], deflate: DeflateMode = .shared, origin: OriginPolicy = .sameHost
    ) {
        self.subprotocols = subprotocols
        self.deflate = deflate
        self.origin = origin
    }

    /// Whether a request asks for a WebSocket. It may still be invalid.
    private static func isUpgradeRequest(_ fields: HTTPFields) -> Bool {
        FieldList.contains("websocket", in: fields[values: .upgrade])
            && FieldList.contains("upgrade", in: fields[values: .connection])
    }

    /// Checks a request and returns what to respond.
    ///
    /// - Parameters:
    ///   - isHTTP11: whether the version is HTTP/1.1 or a later HTTP/1.
    ///   - scheme: `http` or `https`, as used by the client.
    ///   - host: the request's `Host`, or the authority of its target.
    /// - Throws: the first violation.
    package func accept(
        method: HTTPRequest.Method, isHTTP11: Bool, scheme: String = "http", host: String?, fields: HTTPFields
    ) throws(HandshakeRejection) -> Acceptance {
        // Without an upgrade, HEAD gets the same response as GET (RFC 9110 §9.3.2). HEAD never opens a WebSocket.
        guard method == .get || method == .head else { throw .method }
        guard Self.isUpgradeRequest(fields) else { throw .notAnUpgrade }
        guard method == .get else { throw .method }
        guard isHTTP11 else { throw .httpVersion }
        guard let host, !host.isEmpty else { throw .missingHost }
        let key = try checkedKey(fields)
        var acceptance = try negotiate(scheme: scheme, host: host, fields: fields)
        acceptance.fields[.upgrade] = "websocket"
        acceptance.fields[.connection] = "Upgrade"
        acceptance.fields[.secWebSocketAccept] = AcceptKey.value(for: key)
        return acceptance
    }

    /// Checks an extended CONNECT request (RFC 8441 §5) and returns what to respond.
    ///
    /// The stream of HTTP/2 takes the place of Upgrade, Connection, Sec-WebSocket-Key and Sec-WebSocket-Accept. All other
    /// fields mean what they mean in RFC 6455.
    ///
    /// - Parameter isForWebSocket: whether `:protocol` is `websocket`.
    /// - Throws: the first violation.
    package func acceptConnect(
        isForWebSocket: Bool, scheme: String, authority: String?, fields: HTTPFields
    ) throws(HandshakeRejection) -> Acceptance {
        guard isForWebSocket else { throw .notAnUpgrade }
        guard let authority, !authority.isEmpty else { throw .missingHost }
        let versions = fields[values: .secWebSocketVersion]
        guard versions == ["13"] else { throw .version(versions.first) }
        return try negotiate(scheme: scheme, host: authority, fields: fields)
    }

    /// Chooses subprotocol and extensions, and checks the origin (§4.2.2 items 1 to 6).
    private func negotiate(
        scheme: String, host: String, fields: HTTPFields
    ) throws(HandshakeRejection) -> Acceptance {
        guard let offers = ExtensionOffer.parseOffers(fields[values: .secWebSocketExtensions]) else {
            throw .extensions
        }
        let subprotocol = try chooseSubprotocol(fields)
        let origins = fields[values: .origin]
        guard origin.allows(origins: origins, scheme: scheme, host: host) else {
            throw .origin(origins.first ?? "")
        }

        var acceptance = Acceptance(fields: [:], subprotocol: subprotocol)
        if let subprotocol { acceptance.fields[.secWebSocketProtocol] = subprotocol }
        if let agreed = DeflateNegotiation.accept(offers, mode: deflate) {
            acceptance.deflate = agreed.parameters
            acceptance.fields[.secWebSocketExtensions] = agreed.response
        }
        return acceptance
    }

    /// Items 5 and 6 of §4.2.1.
    private func checkedKey(_ fields: HTTPFields) throws(HandshakeRejection) -> String {
        let versions = fields[values: .secWebSocketVersion]
        let keys = fields[values: .secWebSocketKey]
        if versions.isEmpty, keys.isEmpty, let first = HTTPField.Name("Sec-WebSocket-Key1"),
            let second = HTTPField.Name("Sec-WebSocket-Key2"),
            fields.contains(first) || fields.contains(second)
        {
            throw .draft76
        }
        guard versions == ["13"] else { throw .version(versions.first) }
        guard keys.count == 1, let key = keys.first, Base64.isSixteenBytes(key) else { throw .key }
        return key
    }

    /// Chooses the endpoint's first subprotocol that the client offers (§4.2.2 item 5).
    private func chooseSubprotocol(_ fields: HTTPFields) throws(HandshakeRejection) -> String? {
        guard let offered = FieldList.tokens(fields[values: .secWebSocketProtocol]),
            Set(offered).count == offered.count
        else { throw .subprotocols }
        return subprotocols.first { offered.contains($0) }
    }
}

/// The value that shows that a server understood the handshake (RFC 6455 §4.2.2 item 5.4).
package enum AcceptKey {
    /// `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`.
    package static func value(for key: String) -> String {
        Base64.encode(SHA1.digest(Array(key.utf8) + Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)))
    }
}
