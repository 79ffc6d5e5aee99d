import HTTPKit
import Testing

@testable import WSKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("Handshake fields are parsed in linear time", .serialized)
struct HandshakeLinearTimeTests {
    @Test(
        "CPU time does not grow with the square of the input",
        arguments: [
            "\"", ",", ";", "\\", "=", "\"\\", "a;b=\"", "a;b=\"\\", ",a;b=\"", "\",", "a,", "a;", "a;b=c,",
            "a;b=\"c\",",
            " ", ";a=", "permessage-deflate,", "permessage-deflate;client_max_window_bits=99,",
            "permessage-deflate; a=\"", "\u{1}", ";server_no_context_takeover",
        ])
    func cpuTime(pattern: String) {
        func parse(_ text: String) {
            for offer in ExtensionOffer.parse([text, "permessage-deflate;a=\"" + text]) ?? [] {
                _ = DeflateOffer(offer, isResponse: false)
            }
            _ = FieldList.tokens([text])
            _ = FieldList.contains("upgrade", in: [text])
        }
        let (little, much) = (make(pattern, length: 2 << 10), make(pattern, length: 16 << 10))
        // Eight times the input: a linear parser takes 8 times as long, a quadratic one 64 times. Less than 8 ms
        // always passes.
        var time = cpuSeconds { parse(much) }
        var ratio = Double.infinity
        for _ in 0..<3 where time > 0.008 && ratio > 24 {
            let first = cpuSeconds { for _ in 0..<4 { parse(little) } } / 4
            time = cpuSeconds { parse(much) }
            ratio = min(ratio, time / max(first, 1e-6))
        }
        #expect(time <= 0.008 || ratio <= 24, "\(time) s, ratio \(ratio)")
    }

    private func make(_ pattern: String, length: Int) -> String {
        String(repeating: pattern, count: length / pattern.utf8.count)
    }

    private func cpuSeconds(_ body: () -> Void) -> Double {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        body()
        return now() - start
    }
}
