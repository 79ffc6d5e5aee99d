/// The parameters of one permessage-deflate element, in an offer or in a response (RFC 7692 §7.1).
package struct DeflateOffer: Equatable, Sendable {
    /// `client_max_window_bits`, which may have no value in an offer (§7.1.2.2).
    package enum ClientWindow: Equatable, Sendable {
        case absent
        case anyValue
        case bits(Int)
    }

    package var serverNoContextTakeover = false
    package var clientNoContextTakeover = false
    package var serverMaxWindowBits: Int?
    package var clientMaxWindowBits = ClientWindow.absent

    /// The extension's registered name (§7).
    package static let name = "permessage-deflate"

    /// Creates an offer without parameters.
    package init() {}

    /// Parses the parameters. Returns `nil` if one is unknown, repeated, or has an invalid value. A server then declines the
    /// offer, and a client fails the connection (§7.1).
    ///
    /// - Parameter isResponse: whether this is a response, in which `client_max_window_bits` must have a value.
    package init?(_ offer: ExtensionOffer, isResponse: Bool) {
        var seen: Set<String> = []
        for parameter in offer.parameters {
            guard seen.insert(parameter.name).inserted else { return nil }
            switch (parameter.name, parameter.value) {
            case ("server_no_context_takeover", nil): serverNoContextTakeover = true
            case ("client_no_context_takeover", nil): clientNoContextTakeover = true
            case ("server_max_window_bits", let value?):
                guard let bits = Self.windowBits(value) else { return nil }
                serverMaxWindowBits = bits
            case ("client_max_window_bits", let value?):
                guard let bits = Self.windowBits(value) else { return nil }
                clientMaxWindowBits = .bits(bits)
            case ("client_max_window_bits", nil):
                guard !isResponse else { return nil }
                clientMaxWindowBits = .anyValue
            default: return nil
            }
        }
    }

    /// 8 to 15 in decimal without a leading zero (§7.1.2).
    private static func windowBits(_ value: String) -> Int? {
        switch value {
        case "8": 8
        case "9": 9
        case "10": 10
        case "11": 11
        case "12": 12
        case "13": 13
        case "14": 14
        case "15": 15
        default: nil
        }
    }

    /// The element's text in `Sec-WebSocket-Extensions`.
    package var fieldValue: String {
        var value = Self.name
        if serverNoContextTakeover { value += "; server_no_context_takeover" }
        if clientNoContextTakeover { value += "; client_no_context_takeover" }
        if let bits = serverMaxWindowBits { value += "; server_max_window_bits=\(bits)" }
        switch clientMaxWindowBits {
        case .absent: break
        case .anyValue: value += "; client_max_window_bits"
        case .bits(let bits): value += "; client_max_window_bits=\(bits)"
        }
        return value
    }
}
