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
            (#"{"small":300}"#, "small", byte), (#"{"small":-1}"#, "small", byte),
            (#"{"small":1.5}"#, "small", byte), (#"{"whole":1.5}"#, "whole", "an integer"),
            (#"{"whole":9223372036854775808}"#, "whole", "an integer"),
            (#"{"whole":1e30}"#, "whole", "an integer"),
            (#"{"size":300}"#, "size", byte),
            (#"{"even":70000}"#, "even", "an integer from -32768 to 32767"),
            (#"{"corners":[[1,2],[300,1]]}"#, "corners[1][0]", "an integer from -128 to 127"),
            (#"{"counts":{"a":1,"b":200}}"#, "counts.b", "an integer from -128 to 127"),
            (#"{"derived":{"inner":{"deep":0.5}}}"#, "derived.inner.deep", "an integer"),
            (#"{"derived":{"list":[1,-2]}}"#, "derived.list[1]", "an integer from 0 to 18446744073709551615"),
            (#"{"derived":{"own":-1}}"#, "derived.own", "an integer from 0 to 4294967295"),
            (#"{"derived":{"super":{"base":70000}}}"#, "derived.super.base", "an integer from 0 to 65535"),
            (#"{"next":[{"next":[]},{"next":[{"small":256}]}]}"#, "next[1].next[0].small", byte),
        ])
    func number(text: String, path: String, wanted: String) {
        #expect(failure(text) == "\(path): expected \(wanted), found another number")
    }

    private static let byte = "an integer from 0 to 255"

    @Test(
        "RFC 8259 §3: the error names the place, the wanted kind and the kind that is there, and no type",
        arguments: [
            (#"{"small":"1"}"#, "small: expected an integer from 0 to 255, found a string"),
            (#"{"whole":true}"#, "whole: expected an integer, found a boolean"),
            (#"{"text":7}"#, "text: expected a string, found a number"),
            (#"{"text":["a"]}"#, "text: expected a string, found an array"),
            (#"{"text":{"a":1}}"#, "text: expected a string, found an object"),
            (#"{"next":{}}"#, "next: expected an array, found an object"),
            (#"{"next":[null]}"#, "next[0]: expected an object, found null"),
            (#"{"next":[{},7]}"#, "next[1]: expected an object, found a number"),
            (#"{"counts":[]}"#, "counts: expected an object, found an array"),
            (
                #"{"counts":{"a\nb":"x"}}"#,
                #"counts.a\nb: expected an integer from -128 to 127, found a string"#
            ),
            (#"{"date":"today"}"#, "date: expected a date in the form of ISO 8601, found a string"),
            (#"{"date":7}"#, "date: expected a string, found a number"),
            (#"{"float":1e60}"#, "float: the number is out of range"),
            (#"{"corners":[[1,2],[3,1e60]]}"#, "corners[1][1]: the number is out of range"),
            (#"{"size":2}"#, "size: has a value that is not allowed here"),
            (#"{"text":"\x","small":1}"#, "text: has a value that is not allowed here"),
            (#"[]"#, "JSON: expected an object, found an array"),
            ("7", "JSON: expected an object, found a number"),
            ("null", "JSON: expected an object, found null"),
        ])
    func kinds(text: String, message: String) {
        #expect(failure(text) == message)
    }

    @Test("the keys of a dictionary are the client's: of a long path a part is told")
    func longPath() {
        let key = String(repeating: "k", count: 10_000)
        #expect(failure(#"{"counts":{"\#(key)":"x"}}"#)?.utf8.count ?? .max < 400)
    }

    @Test("the document itself has no path")
    func bare() {
        #expect(
            failure("300", as: UInt8.self) == "JSON: expected an integer from 0 to 255, found another number")
        #expect(failure("{", as: UInt8.self) == "JSON: the text is not JSON")
        #expect(failure("", as: UInt8.self) == "JSON: the text is not JSON")
        #expect(failure(#"{"small":300"#) == "JSON: the text is not JSON")
    }

    @Test("what a type itself throws is told where it is meant for clients, and its field in any case")
    func own() {
        #expect(failure(#"{"next":[{"even":3}]}"#) == "next[0].even: is odd")
        #expect(
            failure(#"{"next":[{"even":13}]}"#)
                == "next[0].even: has a value that is not allowed here")
    }

    @Test("values that decoders know themselves do not stand in the way")
    func foundation() {
        let others = #""date":"2024-02-29T12:00:00Z","link":"https://h/","price":1.25,"data":"AAEC""#
        #expect(failure("{\(others)}") == nil)
        #expect(failure("{\(others),\"small\":300}")?.has("small: ") == true)
        #expect(failure(#"{"date":"today"}"#)?.has("date: ") == true)
    }

    @Test("failures that always had a name keep it")
    func named() {
        #expect(
            failure(#"{"next":[{"text":1}]}"#)
                == "next[0].text: expected a string, found a number")
        #expect(failure(#"{"derived":{"super":{}}}"#) == "derived.super.base: is missing")
    }

    @Test("as deep as JSON may be, the field is found")
    func deep() {
        let levels = 250
        let text =
            String(repeating: #"{"next":["#, count: levels) + #"{"small":300}"#
            + String(repeating: "]}", count: levels)
        let path = String(repeating: "next[0].", count: levels) + "small"
        #expect(failure(text)?.has(String(path.prefix(200))) == true)
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
            #expect(answer.has("next[0].small: expected an integer from 0 to 255, found another number"))
        }
    }
}
