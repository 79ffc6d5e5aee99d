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

    /// Reads the server's answer: the elements of all of its headers of that name, in order. Returns nil when one does
    /// not fit the grammar: then the client fails the connection (RFC 6455 §9.1).
    ///
    ///     extension-list = 1#extension
    ///     extension = extension-token *( ";" extension-param )
    ///     extension-param = token [ "=" (token | quoted-string) ]
    ///
    /// A quoted string must be a token once it is unquoted.
    package static func parse(_ values: [String]) -> [ExtensionOffer]? {
        var offers: [ExtensionOffer] = []
        for value in values {
            guard let elements = Parser.elements(of: value) else { return nil }
            for element in elements {
                guard let offer = element else { return nil }
                offers.append(offer)
            }
        }
        return offers
    }

    /// Reads a client's offers. An element that does not fit the grammar is left out, which declines it
    /// (RFC 7692 §5.1); the others stand. Returns nil only when a quoted string never ends: then nothing tells where
    /// its element does, and the handshake is rejected.
    package static func parseOffers(_ values: [String]) -> [ExtensionOffer]? {
        var offers: [ExtensionOffer] = []
        for value in values {
            guard let elements = Parser.elements(of: value) else { return nil }
            offers += elements.compactMap { $0 }
        }
        return offers
    }

    private struct Parser {
        let octets: ArraySlice<UInt8>
        var index: Int

        private init(_ octets: ArraySlice<UInt8>) {
            self.octets = octets
            index = octets.startIndex
        }

        /// The elements of a list, nil for each that does not fit the grammar; nil as a whole when a quoted string
        /// never ends. Empty elements are ignored (RFC 9110 §5.6.1.2).
        static func elements(of value: String) -> [ExtensionOffer?]? {
            let octets = Array(value.utf8)
            var elements: [ExtensionOffer?] = []
            var start = 0
            var index = 0
            var isQuoted = false
            while index <= octets.count {
                let octet = index < octets.count ? octets[index] : UInt8(ascii: ",")
                switch octet {
                case UInt8(ascii: "\""): isQuoted.toggle()
                case UInt8(ascii: "\\") where isQuoted: index += 1
                case UInt8(ascii: ",") where !isQuoted:
                    var parser = Parser(octets[start..<index])
                    if !parser.isBlank { elements.append(parser.wholeElement()) }
                    start = index + 1
                default: break
                }
                index += 1
            }
            return isQuoted ? nil : elements
        }

        private var isBlank: Bool { octets.allSatisfy(FieldList.isWhitespace) }

        private mutating func wholeElement() -> ExtensionOffer? {
            skipWhitespace()
            guard let offer = element(), index == octets.endIndex else { return nil }
            return offer
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
            while index < octets.endIndex, FieldList.isTokenCharacter(octets[index]) { index += 1 }
            return index > start ? String(decoding: octets[start..<index], as: UTF8.self) : nil
        }

        /// After the first quote (RFC 9110 §5.6.4).
        mutating func quoted() -> String? {
            var value: [UInt8] = []
            while index < octets.endIndex {
                if take("\"") { return value.isEmpty ? nil : String(decoding: value, as: UTF8.self) }
                _ = take("\\")
                guard index < octets.endIndex, FieldList.isTokenCharacter(octets[index]) else { return nil }
                value.append(octets[index])
                index += 1
            }
            return nil
        }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard index < octets.endIndex, octets[index] == UInt8(ascii: character) else { return false }
            index += 1
            return true
        }

        mutating func skipWhitespace() {
            while index < octets.endIndex, FieldList.isWhitespace(octets[index]) { index += 1 }
        }
    }
}
