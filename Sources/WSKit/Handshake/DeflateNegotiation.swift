/// Agreeing on permessage-deflate (RFC 7692 §5, §7.1).
package enum DeflateNegotiation {
    /// The server's choice: the first offer that is sound, with the answer to it; nil to go without.
    ///
    /// Offers stand in the client's order of preference, and one that is declined leaves those after it.
    package static func accept(_ offers: [ExtensionOffer], mode: DeflateMode)
        -> (parameters: DeflateParameters, response: String)?
    {
        guard mode.kind != .off else { return nil }
        for offer in offers where offer.name == DeflateOffer.name {
            guard let deflate = DeflateOffer(offer, isResponse: false) else { continue }
            let answer = answer(to: deflate, mode: mode)
            return (parameters(of: answer), answer.fieldValue)
        }
        return nil
    }

    /// What the server answers to a sound offer (§7.1.1, §7.1.2).
    private static func answer(to offer: DeflateOffer, mode: DeflateMode) -> DeflateOffer {
        var answer = DeflateOffer()
        // The server's window: never above what was offered; said only when it is not the default.
        answer.serverMaxWindowBits = offer.serverMaxWindowBits
        switch mode.kind {
        case .off, .shared:
            // Both may be answered without having been offered (§7.1.1.1, §7.1.1.2).
            answer.serverNoContextTakeover = true
            answer.clientNoContextTakeover = true
        case .contextTakeover(let windowBits, _):
            answer.serverNoContextTakeover = offer.serverNoContextTakeover
            answer.clientNoContextTakeover = offer.clientNoContextTakeover
            if windowBits < offer.serverMaxWindowBits ?? 15 { answer.serverMaxWindowBits = windowBits }
            // Only a client that knows the parameter may be told a window (§7.1.2.2).
            switch offer.clientMaxWindowBits {
            case .absent: break
            case .anyValue: if windowBits < 15 { answer.clientMaxWindowBits = .bits(windowBits) }
            case .bits(let bits): answer.clientMaxWindowBits = .bits(min(bits, windowBits))
            }
        }
        return answer
    }

    /// The offers of a client, best first; the last is the one every server can take.
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

    /// Checks the server's answer against the offers that were made; nil when it fits none of them, and the
    /// connection must fail (§5.1, §7.1).
    package static func check(_ response: ExtensionOffer, offers: [DeflateOffer]) -> DeflateParameters? {
        guard response.name == DeflateOffer.name, let answer = DeflateOffer(response, isResponse: true) else {
            return nil
        }
        for offer in offers where fits(answer, offer) { return parameters(of: answer) }
        return nil
    }

    private static func fits(_ answer: DeflateOffer, _ offer: DeflateOffer) -> Bool {
        // A server accepts these by repeating them (§7.1.1.1, §7.1.2.1).
        if offer.serverNoContextTakeover, !answer.serverNoContextTakeover { return false }
        if let bits = offer.serverMaxWindowBits {
            guard let answered = answer.serverMaxWindowBits, answered <= bits else { return false }
        }
        if case .bits = answer.clientMaxWindowBits, offer.clientMaxWindowBits == .absent { return false }
        return true
    }

    private static func parameters(of answer: DeflateOffer) -> DeflateParameters {
        var parameters = DeflateParameters(
            serverNoContextTakeover: answer.serverNoContextTakeover,
            clientNoContextTakeover: answer.clientNoContextTakeover,
            serverMaxWindowBits: answer.serverMaxWindowBits ?? 15)
        if case .bits(let bits) = answer.clientMaxWindowBits { parameters.clientMaxWindowBits = bits }
        return parameters
    }
}
