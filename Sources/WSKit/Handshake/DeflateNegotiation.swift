/// The negotiation of permessage-deflate (RFC 7692 §5, §7.1).
package enum DeflateNegotiation {
    /// The server's choice: the parameters and the response for the first valid offer, or `nil` to decline all.
    ///
    /// Offers are in the client's order of preference. If one is declined, the next one is considered.
    package static func accept(_ offers: [ExtensionOffer], mode: DeflateMode)
        -> (parameters: DeflateParameters, response: String)?
    {
        guard mode.kind != .off else { return nil }
        for offer in offers where offer.name == DeflateOffer.name {
            guard let deflate = DeflateOffer(offer, isResponse: false) else { continue }
            let response = response(to: deflate, mode: mode)
            return (parameters(of: response), response.fieldValue)
        }
        return nil
    }

    /// The server's response to a valid offer (§7.1.1, §7.1.2).
    private static func response(to offer: DeflateOffer, mode: DeflateMode) -> DeflateOffer {
        var response = DeflateOffer()
        // The server's window is never larger than offered. A default window that was not offered is left out.
        response.serverMaxWindowBits = offer.serverMaxWindowBits
        switch mode.kind {
        case .off, .shared:
            // A response may contain both without an offer (§7.1.1.1, §7.1.1.2).
            response.serverNoContextTakeover = true
            response.clientNoContextTakeover = true
        case .contextTakeover(let windowBits, _):
            response.serverNoContextTakeover = offer.serverNoContextTakeover
            response.clientNoContextTakeover = offer.clientNoContextTakeover
            if windowBits < offer.serverMaxWindowBits ?? 15 { response.serverMaxWindowBits = windowBits }
            // A response may contain this parameter only if the offer has it (§7.1.2.2).
            switch offer.clientMaxWindowBits {
            case .absent: break
            case .anyValue: if windowBits < 15 { response.clientMaxWindowBits = .bits(windowBits) }
            case .bits(let bits): response.clientMaxWindowBits = .bits(min(bits, windowBits))
            }
        }
        return response
    }

    /// A client's offers, in order of preference. Every server can accept the last one.
    package static func offers(mode: DeflateMode) -> [DeflateOffer] {
        var last = DeflateOffer()
        last.clientMaxWindowBits = .anyValue
        switch mode.kind {
        case .off: return []
        case .shared:
            var first = last
            first.serverNoContextTakeover = true
            first.clientNoContextTakeover = true
            last.clientNoContextTakeover = true
            return [first, last]
        case .contextTakeover(let windowBits, _):
            guard windowBits < 15 else { return [last] }
            var first = last
            first.serverMaxWindowBits = windowBits
            first.clientMaxWindowBits = .bits(windowBits)
            return [first, last]
        }
    }

    /// Checks the server's response against the client's offers. Returns `nil` if it matches none of them. The client
    /// must then fail the connection (§5.1, §7.1).
    package static func check(_ element: ExtensionOffer, offers: [DeflateOffer]) -> DeflateParameters? {
        guard element.name == DeflateOffer.name, let response = DeflateOffer(element, isResponse: true) else {
            return nil
        }
        for offer in offers where matches(response, offer) { return parameters(of: response) }
        return nil
    }

    private static func matches(_ response: DeflateOffer, _ offer: DeflateOffer) -> Bool {
        // A server accepts these by repeating them (§7.1.1.1, §7.1.2.1).
        if offer.serverNoContextTakeover, !response.serverNoContextTakeover { return false }
        if let bits = offer.serverMaxWindowBits {
            guard let chosen = response.serverMaxWindowBits, chosen <= bits else { return false }
        }
        if case .bits = response.clientMaxWindowBits, offer.clientMaxWindowBits == .absent { return false }
        return true
    }

    private static func parameters(of response: DeflateOffer) -> DeflateParameters {
        var parameters = DeflateParameters(
            serverNoContextTakeover: response.serverNoContextTakeover,
            clientNoContextTakeover: response.clientNoContextTakeover,
            serverMaxWindowBits: response.serverMaxWindowBits ?? 15)
        if case .bits(let bits) = response.clientMaxWindowBits { parameters.clientMaxWindowBits = bits }
        return parameters
    }
}
