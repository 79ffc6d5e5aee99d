/// The source of a client's masking keys. Every frame gets a new, unpredictable key (RFC 6455 §5.3, §10.3).
package struct MaskKeys: Sendable {
    private enum Source: Sendable {
        case system
        case repeatable(UInt64)
    }

    private var source: Source
    private var spare: UInt32?

    /// Keys from the system's random number generator.
    package static var system: MaskKeys { MaskKeys(source: .system) }

    /// The same keys for the same seed, for tests only.
    package static func repeatable(seed: UInt64) -> MaskKeys { MaskKeys(source: .repeatable(seed)) }

    private init(source: Source) {
        self.source = source
    }

    /// The key of the next frame.
    package mutating func next() -> UInt32 {
        // One random number makes two keys.
        if let key = spare {
            spare = nil
            return key
        }
        let drawn = draw()
        spare = UInt32(truncatingIfNeeded: drawn >> 32)
        return UInt32(truncatingIfNeeded: drawn)
    }

    private mutating func draw() -> UInt64 {
        switch source {
        case .system:
            var generator = SystemRandomNumberGenerator()
            return generator.next()
        case .repeatable(let state):
            // SplitMix64.
            let next = state &+ 0x9E37_79B9_7F4A_7C15
            source = .repeatable(next)
            var mixed = next
            mixed = (mixed ^ (mixed &>> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed &>> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed &>> 31)
        }
    }
}
