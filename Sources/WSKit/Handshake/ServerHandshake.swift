package import HTTPTypes

/// The server's side of the opening handshake (RFC 6455 §4.2), a pure function of the request's head.
package struct ServerHandshake: Sendable {
    /// What the endpoint speaks, best first.
    package var subprotocols: [String]
    /// How it compresses.
    package var deflate: DeflateMode
    /// Which pages may connect.
    package var origin: OriginPolicy

    /// A request that was accepted.
    package struct Acceptance: Equatable, Sendable {
        /// The fields of the 101 answer, all that §4.2.2 asks for.
        package var fields: HTTPFields
        /// The subprotocol chosen; nil when none was asked for or none is known.
        package var subprotocol: String?
        /// What was agreed on for permessage-deflate; nil without.
        package var deflate: DeflateParameters?
    }

    /// A handshake for an endpoint.
    package init(
        subprotocols: [String] = [], deflate: DeflateMode = .shared, origin: OriginPolicy = .sameHost
    ) {
        self.subprotocols = subprotocols
        self.deflate = deflate
        self.origin = origin
    }

    /// Whether a request asks to become a WebSocket, soundly or not.
    package static func isUpgradeRequest(_ fields: HTTPFields) -> Bool {
        FieldList.contains("websocket", in: fields[values: .upgrade])
            && FieldList.contains("upgrade", in: fields[values: .connection])
    }

    /// Checks a request and makes the answer to it.
    ///
    /// - Parameters:
    ///   - isHTTP11: the version is HTTP/1.1 or a later HTTP/1.
    ///   - scheme: `http` or `https`, as the client used it.
    ///   - host: the request's `Host`, or the authority of its target.
    /// - Throws: the first rule that it breaks.
    package func accept(
        method: HTTPRequest.Method, isHTTP11: Bool, scheme: String = "http", host: String?, fields: HTTPFields
    ) throws(HandshakeRejection) -> Acceptance {
        // HEAD asks what GET would be answered (RFC 9110 §9.3.2); it opens nothing.
        guard method == .get || method == .head else { throw .method }
        guard Self.isUpgradeRequest(fields) else { throw .notAnUpgrade }
        guard method == .get else { throw .method }
        guard isHTTP11 else { throw .httpVersion }
        guard let host, !host.isEmpty else { throw .missingHost }
        let key = try checkedKey(fields)
        guard let offers = ExtensionOffer.parseOffers(fields[values: .secWebSocketExtensions]) else {
            throw .extensions
        }
        let subprotocol = try chooseSubprotocol(fields)
        let origins = fields[values: .origin]
        guard origin.allows(origins: origins, scheme: scheme, host: host) else {
            throw .origin(origins.first ?? "")
        }

        var acceptance = Acceptance(
            fields: [
                .upgrade: "websocket", .connection: "Upgrade", .secWebSocketAccept: AcceptKey.answer(to: key),
            ], subprotocol: subprotocol)
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
        guard keys.count == 1, let key = keys.first, Base64.isSixteenOctets(key) else { throw .key }
        return key
    }

    /// The first of ours that the client asks for (§4.2.2 item 5).
    private func chooseSubprotocol(_ fields: HTTPFields) throws(HandshakeRejection) -> String? {
        guard let asked = FieldList.tokens(fields[values: .secWebSocketProtocol]),
            Set(asked).count == asked.count
        else { throw .subprotocols }
        return subprotocols.first { asked.contains($0) }
    }
}

/// The proof that a server understood the handshake (RFC 6455 §4.2.2 item 5.4).
package enum AcceptKey {
    /// `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`.
    package static func answer(to key: String) -> String {
        Base64.encode(SHA1.digest(Array(key.utf8) + Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)))
    }
}
