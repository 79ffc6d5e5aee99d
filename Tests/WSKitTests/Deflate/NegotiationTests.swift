import Testing

@testable import WSKit

struct NegotiationCase: CustomTestStringConvertible {
    let offer: String
    var mode = DeflateMode.shared
    /// nil: no extension in the response.
    let response: String?
    var testDescription: String { "\(offer) [\(mode.kind)]" }
}

private let plain = "permessage-deflate"
private let shared = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
private let takeover = DeflateMode.contextTakeover()
private let narrow = DeflateMode.contextTakeover(windowBits: 11)

private let serverCases: [NegotiationCase] = [
    NegotiationCase(offer: plain, response: shared),
    NegotiationCase(offer: plain, mode: .off, response: nil),
    NegotiationCase(offer: plain, mode: takeover, response: plain),
    NegotiationCase(offer: "", response: nil),
    NegotiationCase(offer: "x-webkit-deflate-frame", response: nil),
    NegotiationCase(offer: "foo, bar; a=1, permessage-deflate", mode: takeover, response: plain),
    NegotiationCase(offer: "permessage-deflate; client_max_window_bits", response: shared),
    NegotiationCase(offer: "permessage-deflate; client_max_window_bits", mode: takeover, response: plain),
    NegotiationCase(
        offer: "permessage-deflate; client_max_window_bits", mode: narrow,
        response: "permessage-deflate; server_max_window_bits=11; client_max_window_bits=11"),
    NegotiationCase(offer: plain, mode: narrow, response: "permessage-deflate; server_max_window_bits=11"),
    NegotiationCase(
        offer: "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10", mode: narrow,
        response: "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10"),
    NegotiationCase(
        offer: "permessage-deflate; server_max_window_bits=13; client_max_window_bits=14", mode: narrow,
        response: "permessage-deflate; server_max_window_bits=11; client_max_window_bits=11"),
    NegotiationCase(
        offer: "permessage-deflate; server_no_context_takeover", mode: takeover,
        response: "permessage-deflate; server_no_context_takeover"),
    NegotiationCase(
        offer: "permessage-deflate; client_no_context_takeover", mode: takeover,
        response: "permessage-deflate; client_no_context_takeover"),
    NegotiationCase(
        offer: "permessage-deflate;server_no_context_takeover ; client_no_context_takeover", mode: takeover,
        response: shared),
    NegotiationCase(
        offer: "permessage-deflate; server_max_window_bits=10",
        response: shared + "; server_max_window_bits=10"),
    NegotiationCase(
        offer: "permessage-deflate; server_max_window_bits=\"10\"", mode: takeover,
        response: "permessage-deflate; server_max_window_bits=10"),
    NegotiationCase(
        offer: "permessage-deflate; server_max_window_bits=\"\\1\\0\"", mode: takeover,
        response: "permessage-deflate; server_max_window_bits=10"),
    // zlib cannot use a window of 8 bits. Short messages fit into it, and others are sent uncompressed.
    NegotiationCase(
        offer: "permessage-deflate; server_max_window_bits=8", mode: takeover,
        response: "permessage-deflate; server_max_window_bits=8"),
    NegotiationCase(offer: "permessage-deflate; server_max_window_bits", response: nil),
    NegotiationCase(offer: "permessage-deflate; server_max_window_bits=7", response: nil),
    NegotiationCase(offer: "permessage-deflate; server_max_window_bits=16", response: nil),
    NegotiationCase(offer: "permessage-deflate; server_max_window_bits=09", response: nil),
    NegotiationCase(offer: "permessage-deflate; server_max_window_bits=+9", response: nil),
    NegotiationCase(offer: "permessage-deflate; client_max_window_bits=7", response: nil),
    NegotiationCase(offer: "permessage-deflate; client_max_window_bits=ten", response: nil),
    NegotiationCase(offer: "permessage-deflate; server_no_context_takeover=1", response: nil),
    NegotiationCase(offer: "permessage-deflate; client_no_context_takeover=true", response: nil),
    NegotiationCase(
        offer: "permessage-deflate; client_no_context_takeover; client_no_context_takeover", response: nil),
    NegotiationCase(
        offer: "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", response: nil),
    NegotiationCase(offer: "permessage-deflate; unknown", response: nil),
    NegotiationCase(
        offer: "permessage-deflate; unknown=1, permessage-deflate", mode: takeover, response: plain),
    NegotiationCase(
        offer:
            "permessage-deflate; server_max_window_bits=20, permessage-deflate; server_max_window_bits=12, "
            + plain, mode: takeover, response: "permessage-deflate; server_max_window_bits=12"),
]

struct AnswerCase: CustomTestStringConvertible {
    let response: String
    var mode = DeflateMode.contextTakeover()
    let parameters: DeflateParameters?
    var testDescription: String { "\(response) [\(mode.kind)]" }
}

private let answerCases: [AnswerCase] = [
    AnswerCase(response: plain, parameters: DeflateParameters()),
    AnswerCase(response: plain, mode: .off, parameters: nil),
    AnswerCase(response: plain, mode: .shared, parameters: DeflateParameters()),
    AnswerCase(response: shared, mode: .shared, parameters: noTakeover),
    AnswerCase(response: shared, parameters: noTakeover),
    AnswerCase(
        response: "permessage-deflate; client_max_window_bits=9; server_max_window_bits=8",
        parameters: DeflateParameters(serverMaxWindowBits: 8, clientMaxWindowBits: 9)),
    AnswerCase(response: "permessage-deflate; client_max_window_bits", parameters: nil),
    AnswerCase(response: "permessage-deflate; server_max_window_bits", parameters: nil),
    AnswerCase(response: "permessage-deflate; server_max_window_bits=16", parameters: nil),
    AnswerCase(response: "permessage-deflate; other", parameters: nil),
    AnswerCase(response: "permessage-deflate; server_no_context_takeover=x", parameters: nil),
    AnswerCase(
        response: "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", parameters: nil),
    AnswerCase(response: "permessage-bzip2", parameters: nil),
]

@Suite struct NegotiationTests {
    @Test("RFC 7692 §7.1 a server's responses to offers", arguments: serverCases)
    func server(_ test: NegotiationCase) throws {
        let offers = try #require(ExtensionOffer.parse([test.offer]))
        #expect(DeflateNegotiation.accept(offers, mode: test.mode)?.response == test.response)
    }

    @Test("RFC 7692 §7.1 every combination of the four parameters is agreed on by both ends")
    func combinations() throws {
        let windows: [String?] = [nil, "8", "9", "12", "15"]
        for server in windows {
            for client in windows + [""] {
                for flags in 0..<4 {
                    var offer = plain
                    if flags & 1 != 0 { offer += "; server_no_context_takeover" }
                    if flags & 2 != 0 { offer += "; client_no_context_takeover" }
                    if let server { offer += "; server_max_window_bits=\(server)" }
                    if let client {
                        offer +=
                            client.isEmpty ? "; client_max_window_bits" : "; client_max_window_bits=\(client)"
                    }
                    for mode in [DeflateMode.shared, takeover, narrow] {
                        try check(offer, mode)
                    }
                }
            }
        }
    }

    private func check(_ text: String, _ mode: DeflateMode) throws {
        let offers = try #require(ExtensionOffer.parse([text]))
        let agreed = try #require(DeflateNegotiation.accept(offers, mode: mode))
        let answer = try #require(ExtensionOffer.parse([agreed.response])?.first)
        let offer = try #require(DeflateOffer(offers[0], isResponse: false))
        #expect(DeflateNegotiation.check(answer, offers: [offer]) == agreed.parameters, "\(text) \(mode)")
        #expect(offer.fieldValue == text)
    }

    @Test("RFC 7692 §5.1 which responses a client accepts", arguments: answerCases)
    func client(_ test: AnswerCase) throws {
        let answer = try #require(ExtensionOffer.parse([test.response])?.first)
        let offers = DeflateNegotiation.offers(mode: test.mode)
        #expect(DeflateNegotiation.check(answer, offers: offers) == test.parameters)
    }

    @Test("a client's window may only be set if it offered the parameter, and only to a smaller size")
    func strict() throws {
        var offer = DeflateOffer()
        let bits = try #require(ExtensionOffer.parse(["permessage-deflate; client_max_window_bits=9"])?.first)
        #expect(DeflateNegotiation.check(bits, offers: [offer]) == nil)
        offer.clientMaxWindowBits = .anyValue
        #expect(DeflateNegotiation.check(bits, offers: [offer]) != nil)
        offer.serverMaxWindowBits = 10
        #expect(DeflateNegotiation.check(bits, offers: [offer]) == nil)
        let wide = try #require(
            ExtensionOffer.parse(["permessage-deflate; server_max_window_bits=11"])?.first)
        #expect(DeflateNegotiation.check(wide, offers: [offer]) == nil)
        offer.serverNoContextTakeover = true
        offer.serverMaxWindowBits = nil
        #expect(DeflateNegotiation.check(wide, offers: [offer]) == nil)
    }
}
