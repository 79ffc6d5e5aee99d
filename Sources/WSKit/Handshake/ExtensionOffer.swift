import HTTPKit

/// One element of `Sec-WebSocket-Extensions` (RFC 6455 §9.1).
package struct ExtensionOffer: Equatable, Sendable {
    /// `name`, or `name=value` with the value unquoted.
    package struct Parameter: Equatable, Sendable {
        package var name: String
        package var value: String?
    }

    /// The extension's token.
    package var name: String
    /// The parameters in order.
    package var parameters: [Parameter]

    /// Parses a server's response: the elements of all its fields of that name, in order. Returns `nil` if one is malformed.
    /// The client then fails the connection (RFC 6455 §9.1).
    ///
    ///     extension-list = 1#extension
    ///     extension = extension-token *( ";" extension-param )
    ///     extension-param = token [ "=" (token | quoted-string) ]
    ///
    /// After unquoting, a quoted string must be a token.
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

    /// Parses a client's offers. A malformed element is left out, which declines it (RFC 7692 §5.1). Returns `nil` only if
    /// a quoted string never ends: the end of its element is then unknown, and the handshake is rejected.
    package static func parseOffers(_ values: [String]) -> [ExtensionOffer]? {
        var offers: [ExtensionOffer] = []
        for value in values {
            guard let elements = Parser.elements(of: value) else { return nil }
            offers += elements.compactMap { $0 }
        }
        return offers
    }

    private struct Parser {
        let bytes: ArraySlice<UInt8>
        var index: Int

        private init(_ bytes: ArraySlice<UInt8>) {
            self.bytes = bytes
            index = bytes.startIndex
        }

        /// The elements of a list, with `nil` for each malformed one. Returns `nil` if a quoted string never ends. Empty
        /// elements are ignored (RFC 9110 §5.6.1.2).
        static func elements(of value: String) -> [ExtensionOffer?]? {
            let bytes = Array(value.utf8)
            var elements: [ExtensionOffer?] = []
            var start = 0
            var index = 0
            var isQuoted = false
            while index <= bytes.count {
                let byte = index < bytes.count ? bytes[index] : UInt8(ascii: ",")
                switch byte {
                case UInt8(ascii: "\""): isQuoted.toggle()
                case UInt8(ascii: "\\") where isQuoted: index += 1
                case UInt8(ascii: ",") where !isQuoted:
                    var parser = Parser(bytes[start..<index])
                    if !parser.isBlank { elements.append(parser.wholeElement()) }
                    start = index + 1
                default: break
                }
                index += 1
            }
            return isQuoted ? nil : elements
        }

        private var isBlank: Bool { bytes.allSatisfy(\.isBlank) }

        private mutating func wholeElement() -> ExtensionOffer? {
            skipWhitespace()
            guard let offer = element(), index == bytes.endIndex else { return nil }
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
            while index < bytes.endIndex, bytes[index].isTokenCharacter { index += 1 }
            return index > start ? String(decoding: bytes[start..<index], as: UTF8.self) : nil
        }

        /// Parses the rest of a quoted string after its first quote (RFC 9110 §5.6.4).
        mutating func quoted() -> String? {
            var value: [UInt8] = []
            while index < bytes.endIndex {
                if take("\"") { return value.isEmpty ? nil : String(decoding: value, as: UTF8.self) }
                _ = take("\\")
                guard index < bytes.endIndex, bytes[index].isTokenCharacter else { return nil }
                value.append(bytes[index])
                index += 1
            }
            return nil
        }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard index < bytes.endIndex, bytes[index] == UInt8(ascii: character) else { return false }
            index += 1
            return true
        }

        mutating func skipWhitespace() {
            while index < bytes.endIndex, bytes[index].isBlank { index += 1 }
        }
    }
}
