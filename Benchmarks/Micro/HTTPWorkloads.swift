import HTTPKit
import HTTPTypes
import NIOCore

/// Decoder, router and encoder of HTTP/1.1.
enum HTTPWorkloads {
    static let all: [Workload] = [
        decode("decode-short", shortRequest),
        decode("decode-browser", browserRequest),
        chunked,
        route("route-static", "/plaintext"),
        route("route-two-parameters", "/params/42/benchmark"),
        route("route-escaped", "/params/4%32/bench%6Dark"),
        encodeHead,
    ]

    static let shortRequest =
        "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: keep-alive\r\n\r\n"

    static let parametersRequest =
        "GET /params/42/benchmark HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: keep-alive\r\n\r\n"

    /// Chromium's request for a page: 15 headers, 700 bytes.
    static let browserRequest =
        "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: keep-alive\r\nCache-Control: max-age=0\r\n"
        + "sec-ch-ua: \"Chromium\";v=\"142\", \"Not?A_Brand\";v=\"8\"\r\nsec-ch-ua-mobile: ?0\r\n"
        + "sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n"
        + "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        + "Chrome/142.0.0.0 Safari/537.36\r\n"
        + "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
        + "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
        + "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
        + "Cookie: session=6f1c0d3b9a7e4f52; theme=dark; visited=2026-11-20\r\n\r\n"

    /// A decoder that repeatedly decodes the same head, and has learned that caching its headers gains nothing.
    private static func decode(_ name: String, _ text: String) -> Workload {
        Workload(name, bytes: text.utf8.count) {
            let request = ByteBuffer(string: text)
            var decoder = RequestDecoder(limits: HTTPLimits())
            for turn in 0..<8 {
                var input = ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\nX-Turn: \(turn)\r\n\r\n")
                guard try decoder.next(&input) != nil else { throw WrongResult(description: name) }
            }
            return { count in
                for _ in 0..<count {
                    var input = request
                    guard let head = try decoder.next(&input) else { throw WrongResult(description: name) }
                    use(head)
                }
            }
        }
    }

    /// A body of four chunks of 1 KiB.
    private static let chunked = Workload("decode-chunked", bytes: 4 * 1024) {
        let chunk = "400\r\n" + String(repeating: "x", count: 1024) + "\r\n"
        let body = ByteBuffer(string: String(repeating: chunk, count: 4) + "0\r\n\r\n")
        return { count in
            for _ in 0..<count {
                var input = body
                var decoder = ChunkedDecoder(limits: HTTPLimits())
                while input.readableBytes > 0 { use(try decoder.next(&input)) }
            }
        }
    }

    /// A table of forty routes, like that of an application.
    private static func route(_ name: String, _ path: String) -> Workload {
        Workload(name) {
            var builder = RouteTrieBuilder<Int>()
            for index in 0..<38 {
                try builder.insert(.get, try PathPattern("/api/v1/things\(index)/{id}"), index)
            }
            try builder.insert(.get, try PathPattern("/plaintext"), 38)
            try builder.insert(.get, try PathPattern("/params/{id}/{name}"), 39)
            let trie = builder.build()
            let bytes = ByteBuffer(string: path)
            return { count in
                for _ in 0..<count {
                    guard
                        case .found(_, let parameters) = trie.lookup(
                            .get, in: bytes, path: 0..<path.utf8.count)
                    else { throw WrongResult(description: name) }
                    use(parameters)
                }
            }
        }
    }

    /// The head of a short response, written to a reused buffer.
    private static let encodeHead = Workload("encode-head") {
        let fields: HTTPFields = [.contentType: "text/plain; charset=utf-8"]
        let date = DateLine(secondsSinceEpoch: 1_795_000_000)
        var out = ByteBufferAllocator().buffer(capacity: 1024)
        return { count in
            for _ in 0..<count {
                out.clear()
                ResponseEncoder.writeHead(
                    status: .ok, fields: fields, framing: .length(13), minorVersion: 1, keepAlive: true,
                    date: date,
                    into: &out)
                use(out.readableBytes)
            }
        }
    }
}
