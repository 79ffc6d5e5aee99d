import FoundationEssentials
import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

/// An own error of a type; what clients may know of it is `message`.
private struct OddError: ResponseError {
    var status: HTTPResponse.Status { .badRequest }
    var message: String { "is odd" }
}

private struct Secret: Error {}

private struct Even: Decodable {
    var number: Int16

    init(from decoder: any Decoder) throws {
        number = try decoder.singleValueContainer().decode(Int16.self)
        if number == 13 { throw Secret() }
        if number % 2 != 0 { throw OddError() }
    }
}

private struct Corner: Decodable {
    var x: Int8
    var y: Float

    init(from decoder: any Decoder) throws {
        var items = try decoder.unkeyedContainer()
        x = try items.decode(Int8.self)
        y = try items.decode(Float.self)
    }
}

private class Base: Decodable {
    var base: UInt16
}

private final class Derived: Base {
    enum Key: CodingKey { case inner, list, own }
    enum InnerKey: CodingKey { case deep }

    required init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        if fields.contains(.inner) {
            _ = try fields.nestedContainer(keyedBy: InnerKey.self, forKey: .inner).decode(
                Int.self, forKey: .deep)
        }
        if fields.contains(.list) {
            var list = try fields.nestedUnkeyedContainer(forKey: .list)
            while !list.isAtEnd { _ = try list.decode(UInt.self) }
        }
        _ = try fields.decodeIfPresent(UInt32.self, forKey: .own)
        try super.init(from: try fields.superDecoder())
    }
}

private final class Document: Decodable {
    enum Size: UInt8, Decodable { case small = 1, large = 200 }

    var small: UInt8?
    var whole: Int?
    var float: Float?
    var size: Size?
    var even: Even?
    var corners: [Corner]?
    var counts: [String: Int8]?
    var derived: Derived?
    var text: String?
    var next: [Document]?
    var date: Date?
    var link: URL?
    var price: Decimal?
    var data: Data?
}

@Suite("RFC 8259 JSON that does not fit")
struct JSONTests {
    private func failure<Value: Decodable>(_ text: String, as type: Value.Type = Document.self) -> String? {
        do throws(JSONContentError) {
            _ = try JSON.decode(type, from: ByteBuffer(string: text))
            return nil
        } catch {
            #expect(error.status == .badRequest)
            return error.message
        }
    }

    @Test(
        "RFC 8259 §6: a number that does not fit its type is named, wherever it stands",
        arguments: [
            (#"{"small":300}"#, "small", "UInt8"), (#"{"small":-1}"#, "small", "UInt8"),
            (#"{"small":1.5}"#, "small", "UInt8"), (#"{"whole":1.5}"#, "whole", "Int"),
            (#"{"whole":9223372036854775808}"#, "whole", "Int"), (#"{"whole":1e30}"#, "whole", "Int"),
            (#"{"float":1e60}"#, "float", "Float"), (#"{"size":300}"#, "size", "UInt8"),
            (#"{"even":70000}"#, "even", "Int16"), (#"{"corners":[[1,2],[300,1]]}"#, "corners[1][0]", "Int8"),
            (#"{"corners":[[1,2],[3,1e60]]}"#, "corners[1][1]", "Float"),
            (#"{"counts":{"a":1,"b":200}}"#, "counts.b", "Int8"),
            (#"{"derived":{"inner":{"deep":0.5}}}"#, "derived.inner.deep", "Int"),
            (#"{"derived":{"list":[1,-2]}}"#, "derived.list[1]", "UInt"),
            (#"{"derived":{"own":-1}}"#, "derived.own", "UInt32"),
            (#"{"derived":{"super":{"base":70000}}}"#, "derived.super.base", "UInt16"),
            (#"{"next":[{"next":[]},{"next":[{"small":256}]}]}"#, "next[1].next[0].small", "UInt8"),
            (#"{"text":"\x","small":1}"#, "text", "String"),
        ])
    func number(text: String, path: String, type: String) {
        #expect(
            failure(text) == "JSON field \"\(path)\": is malformed or does not fit; wanted \(type)")
    }

    @Test("the document itself has no path")
    func bare() {
        #expect(failure("300", as: UInt8.self) == "JSON: is malformed or does not fit; wanted UInt8")
        #expect(failure("{", as: UInt8.self) == "JSON: the text is not JSON")
        #expect(failure("", as: UInt8.self) == "JSON: the text is not JSON")
        #expect(failure(#"{"small":300"#) == "JSON: the text is not JSON")
    }

    @Test("what a type itself throws is told where it is meant for clients, and its field in any case")
    func own() {
        #expect(failure(#"{"next":[{"even":3}]}"#) == #"JSON field "next[0].even": is odd"#)
        #expect(
            failure(#"{"next":[{"even":13}]}"#)
                == #"JSON field "next[0].even": is malformed or does not fit; wanted Even"#)
    }

    @Test("values that decoders know themselves do not stand in the way")
    func foundation() {
        let others = #""date":"2024-02-29T12:00:00Z","link":"https://h/","price":1.25,"data":"AAEC""#
        #expect(failure("{\(others)}") == nil)
        #expect(failure("{\(others),\"small\":300}")?.has(#"field "small""#) == true)
        #expect(failure(#"{"date":"today"}"#)?.has(#"field "date""#) == true)
    }

    @Test("failures that always had a name keep it")
    func named() {
        #expect(
            failure(#"{"next":[{"text":1}]}"#)
                == #"JSON field "next[0].text": has another type; wanted String"#)
        #expect(failure(#"{"derived":{"super":{}}}"#) == #"JSON field "derived.super.base": is missing"#)
    }

    @Test("as deep as JSON may be, the field is found")
    func deep() {
        let levels = 250
        let text =
            String(repeating: #"{"next":["#, count: levels) + #"{"small":300}"#
            + String(repeating: "]}", count: levels)
        let path = String(repeating: "next[0].", count: levels) + "small"
        #expect(failure(text)?.has("\"\(path)\"") == true)
    }

    @Test("RFC 9110 §15.5.1: a handler's client is told the field")
    func request() throws {
        try withWire {
            .text("\(try await $0.json(as: Document.self).small ?? 0)")
        } test: { wire in
            let text = #"{"next":[{"small":300}]}"#
            let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
            let answer = wire.exchange(head + "Content-Length: \(text.utf8.count)\r\n\r\n" + text)
            #expect(statuses(answer) == [400])
            #expect(answer.has(#"JSON field "next[0].small": is malformed or does not fit; wanted UInt8"#))
        }
    }
}
