/// One element of `Sec-WebSocket-Extensions` (RFC 6455 §9.1).
package struct ExtensionOffer: Equatable, Sendable {
    /// `name`, or `name=value` with the quotes taken off.
    package struct Parameter: Equatable, Sendable {
        package var name: String
        package var value: String?
    }

    /// The extension's token.
    package var name: String
    /// Its parameters in order.
    package var parameters: [Parameter]

    /// Reads the elements of all of a message's fields of that name, in order; nil when they do not fit the
    /// grammar: then the connection must fail (RFC 6455 §9.1).
    ///
    ///     extension-list = 1#extension
    ///     extension = extension-token *( ";" extension-param )
    ///     extension-param = token [ "=" (token | quoted-string) ]
    ///
    /// A quoted string must be a token once it is unquoted.
    package static func parse(_ values: [String]) -> [ExtensionOffer]? {
        var offers: [ExtensionOffer] = []
        for value in values {
            var parser = Parser(octets: Array(value.utf8))
            guard let list = parser.list() else { return nil }
            offers += list
        }
        return offers
    }

    private struct Parser {
        let octets: [UInt8]
        var index = 0

        mutating func list() -> [ExtensionOffer]? {
            var offers: [ExtensionOffer] = []
            skipWhitespace()
            while index < octets.count {
                // Empty elements of a list are to be ignored (RFC 9110 §5.6.1.2).
                if !take(",") {
                    guard let offer = element() else { return nil }
                    offers.append(offer)
                    guard index == octets.count || take(",") else { return nil }
                }
                skipWhitespace()
            }
            return offers
        }

        mutating func element() -> ExtensionOffer? {
            guard let name = token() else { return nil }
            var offer = ExtensionOffer(name: name, parameters: [])
            skipWhitespace()
            while take(";") {
                skipWhitespace()
                guard let parameter = parameter() else { return nil }
                offer.parameters.append(parameter)
                skipWhitespace()
            }
            return offer
        }

        mutating func parameter() -> Parameter? {
            guard let name = token() else { return nil }
            skipWhitespace()
            guard take("=") else { return Parameter(name: name, value: nil) }
            skipWhitespace()
            guard let value = take("\"") ? quoted() : token() else { return nil }
            return Parameter(name: name, value: value)
        }

        mutating func token() -> String? {
            let start = index
            while index < octets.count, FieldList.isTokenCharacter(octets[index]) { index += 1 }
            return index > start ? String(decoding: octets[start..<index], as: UTF8.self) : nil
        }

        /// After the first quote (RFC 9110 §5.6.4).
        mutating func quoted() -> String? {
            var value: [UInt8] = []
            while index < octets.count {
                if take("\"") { return value.isEmpty ? nil : String(decoding: value, as: UTF8.self) }
                _ = take("\\")
                guard index < octets.count, FieldList.isTokenCharacter(octets[index]) else { return nil }
                value.append(octets[index])
                index += 1
            }
            return nil
        }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard index < octets.count, octets[index] == UInt8(ascii: character) else { return false }
            index += 1
            return true
        }

        mutating func skipWhitespace() {
            while index < octets.count, FieldList.isWhitespace(octets[index]) { index += 1 }
        }
    }
}
