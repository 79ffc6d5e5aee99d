import HTTPTypes
import NIOCore
import Testing

@testable import WSKit

/// A repeatable source of randomness.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// The result of running a machine.
struct Outcome: Equatable {
    var events: [WebSocketMachine.Event] = []
    var error: WSError?
}

let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]

/// A frame that is encoded by hand, so that the encoder does not test itself.
func frame(
    _ first: UInt8, _ payload: [UInt8] = [], key: [UInt8]? = key, length: [UInt8]? = nil
) -> [UInt8] {
    var bytes = [first]
    let masked: UInt8 = key == nil ? 0 : 0x80
    if let length {
        bytes += [length[0] | masked] + length.dropFirst()
    } else if payload.count < 126 {
        bytes.append(masked | UInt8(payload.count))
    } else if payload.count < 65_536 {
        bytes += [masked | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
    } else {
        bytes.append(masked | 127)
        bytes += stride(from: 56, through: 0, by: -8).map { UInt8(payload.count >> $0 & 255) }
    }
    if let key {
        bytes += key
        bytes += payload.enumerated().map { $1 ^ key[$0 % 4] }
    } else {
        bytes += payload
    }
    return bytes
}

func frame(_ first: UInt8, _ text: String, key: [UInt8]? = key) -> [UInt8] {
    frame(first, Array(text.utf8), key: key)
}

func run(_ machine: WebSocketMachine, _ chunks: [ArraySlice<UInt8>]) -> Outcome {
    var machine = machine
    var outcome = Outcome()
    for chunk in chunks {
        var input = ByteBuffer(bytes: chunk)
        do throws(WSError) {
            while let event = try machine.next(&input, now: start) { outcome.events.append(event) }
        } catch {
            outcome.error = error
            break
        }
        if input.readableBytes != 0 { Issue.record("input that is not consumed would be parsed twice") }
    }
    return outcome
}

/// Runs a machine with all `bytes` at once, split at every offset (at most 600), and one byte at a time. All runs must
/// have the same result.
func replay(
    _ bytes: [UInt8], to expected: Outcome, _ comment: Comment? = nil, make: () -> WebSocketMachine
) {
    #expect(run(make(), [bytes[...]]) == expected, comment)
    for cut in bytes.indices.prefix(600) {
        let outcome = run(make(), [bytes[..<cut], bytes[cut...]])
        if outcome != expected {
            Issue.record("split at \(cut): \(outcome) instead of \(expected) \(comment?.rawValue ?? "")")
            return
        }
    }
    #expect(run(make(), bytes.indices.map { bytes[$0...$0] }) == expected, comment)
}

func machine(
    _ role: Role = .server, deflate: DeflateParameters? = nil, mode: DeflateMode = .shared,
    shared: SharedDeflate? = nil, delivery: MessageAssembler.Delivery = .whole,
    limits: (inout WSLimits) -> Void = { _ in }
) -> WebSocketMachine {
    WebSocketMachine(
        role: role, limits: WSLimits(limits), deflate: deflate, mode: mode, shared: shared,
        maskKeys: .repeatable(seed: 1), delivery: delivery, now: start)
}

extension WebSocketMachine.Event {
    static func text(_ text: String) -> Self { .message(Message(text: text)) }
    static func binary(_ bytes: [UInt8]) -> Self { .message(Message(binary: bytes)) }
    static func ping(_ text: String) -> Self { .ping(ByteBuffer(string: text)) }
}

let noTakeover = DeflateParameters(serverNoContextTakeover: true, clientNoContextTakeover: true)
