import NIOCore
import Testing

@testable import WSKit

@Suite struct MaskTests {
    @Test("RFC 6455 §5.3 at every length, alignment and phase, copied and in place")
    func transforms() {
        var random = SplitMix(state: 3)
        let bytes = (0..<300).map { _ in UInt8.random(in: 0...255, using: &random) }
        let number = UInt32(key[0]) | UInt32(key[1]) << 8 | UInt32(key[2]) << 16 | UInt32(key[3]) << 24
        for length in Array(0...70) + [127, 128, 129, 200, 256] {
            for offset in 0..<9 {
                for phase in 0..<5 {
                    let source = bytes[offset..<(offset + length)]
                    let expected = source.enumerated().map { $1 ^ key[($0 + phase) % 4] }
                    var out = ByteBuffer(repeating: 7, count: offset)
                    let whole = ByteBuffer(bytes: bytes)
                    Mask.append(
                        whole.readableBytesSpan.extracting(offset..<(offset + length)), key: number,
                        phase: phase,
                        to: &out)
                    var isRight = Array(out.readableBytesView.dropFirst(offset)) == expected
                    isRight = isRight && out.readableBytesView.prefix(offset).allSatisfy { $0 == 7 }

                    var place = ByteBuffer(bytes: bytes[..<(offset + length)])
                    Mask.apply(key: number, phase: phase, to: &place, from: offset)
                    isRight = isRight && Array(place.readableBytesView.dropFirst(offset)) == expected
                    isRight =
                        isRight && Array(place.readableBytesView.prefix(offset)) == Array(bytes[..<offset])
                    #expect(isRight, "length \(length), offset \(offset), phase \(phase)")
                }
            }
        }
    }

    @Test("in place, shared storage is not changed")
    func sharedStorage() {
        var one = ByteBuffer(bytes: [1, 2, 3])
        let other = one
        Mask.apply(key: 0xFFFF_FFFF, phase: 0, to: &one)
        #expect(other == ByteBuffer(bytes: [1, 2, 3]))
        #expect(one == ByteBuffer(bytes: [254, 253, 252]))
    }
}
