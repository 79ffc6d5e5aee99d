/// How a field of a response is sent in HTTP/2.
enum FieldKind: Equatable {
    /// Not at all, or by the carrier: the fields of the connection (RFC 9113 §8.2.2), Content-Length and Date.
    case framing
    /// As it is, since its value is another one each time. The number is the name's index in the static table, or 0.
    case literal(Int)
    /// As it is, and no intermediary may put it into a table (RFC 7541 §6.2.3).
    case secret(Int)
    /// By the client's table, since it comes again.
    case repeated(Int)

    /// - Parameter name: in lower case.
    init(_ name: String) {
        // Names of other lengths are told apart without a comparison.
        self =
            switch name.utf8.count {
            case 3: name == "age" ? .literal(21) : .repeated(0)
            case 4: Self.four(name)
            case 5: name == "allow" ? .repeated(22) : .repeated(0)
            case 6: name == "server" ? .repeated(54) : .repeated(0)
            case 7: name == "upgrade" ? .framing : name == "expires" ? .literal(36) : .repeated(0)
            case 8: name == "location" ? .literal(46) : .repeated(0)
            case 10: name == "connection" || name == "keep-alive" ? .framing : Self.ten(name)
            case 11: name == "retry-after" ? .literal(53) : .repeated(0)
            case 12:
                name == "content-type" ? .repeated(31) : name == "x-request-id" ? .literal(0) : .repeated(0)
            case 13: Self.thirteen(name)
            case 14: name == "content-length" ? .framing : .repeated(0)
            case 16: Self.sixteen(name)
            case 17: name == "transfer-encoding" ? .framing : .repeated(0)
            case 18: name == "proxy-authenticate" ? .literal(48) : .repeated(0)
            case 19: name == "content-disposition" ? .literal(25) : .repeated(0)
            case 25: name == "strict-transport-security" ? .repeated(56) : .repeated(0)
            case 27: name == "access-control-allow-origin" ? .repeated(20) : .repeated(0)
            default: .repeated(0)
            }
    }

    private static func four(_ name: String) -> FieldKind {
        switch name {
        case "date": .framing
        case "etag": .literal(34)
        case "vary": .repeated(59)
        case "link": .repeated(45)
        default: .repeated(0)
        }
    }

    private static func ten(_ name: String) -> FieldKind {
        name == "set-cookie" ? .secret(55) : .repeated(0)
    }

    private static func thirteen(_ name: String) -> FieldKind {
        switch name {
        case "cache-control": .repeated(24)
        case "last-modified": .literal(44)
        case "accept-ranges": .repeated(18)
        case "content-range": .literal(30)
        default: .repeated(0)
        }
    }

    private static func sixteen(_ name: String) -> FieldKind {
        switch name {
        case "content-encoding": .repeated(26)
        case "content-language": .repeated(27)
        case "content-location": .literal(29)
        case "www-authenticate": .literal(61)
        case "proxy-connection": .framing
        default: .repeated(0)
        }
    }
}
