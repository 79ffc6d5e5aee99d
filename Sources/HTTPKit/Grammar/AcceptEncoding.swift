/// What content codings a client takes (RFC 9110 §12.5.3).
package struct AcceptEncoding: Sendable {
    private let items: [QualityItem]
    private let isPresent: Bool

    /// From the field's combined value; `nil` when the request has none, which leaves every coding open. A
    /// server then sends none, since such a client has not said that it can decode any.
    package init(_ field: String?) {
        items = field.map(QualityValues.parse) ?? []
        isPresent = field != nil
    }

    /// The weight of a coding in thousandths: its own, that of `*`, or 0 when it is not listed. `x-gzip` is
    /// `gzip` (§8.4.1.3).
    package func quality(of coding: String) -> Int {
        if let own = items.first(where: { $0.value == coding || (coding == "gzip" && $0.value == "x-gzip") })
        {
            return own.quality
        }
        return items.first { $0.value == "*" }?.quality ?? 0
    }

    /// The weight of no coding at all, where the field gives one.
    package var identityQuality: Int? {
        if let own = items.first(where: { $0.value == "identity" }) { return own.quality }
        // `*;q=0` refuses identity too; `*` with a weight says nothing against it.
        return items.first { $0.value == "*" }?.quality == 0 ? 0 : nil
    }

    /// The coding to send of those that are there, given in the server's order of preference.
    ///
    /// - Returns: `.coding(index)`, `.identity`, or `.notAcceptable` when identity is refused and nothing else
    ///   fits.
    package func choose(from available: [String]) -> Choice {
        var best: (index: Int, quality: Int)?
        if isPresent {
            for (index, coding) in available.enumerated() {
                let quality = quality(of: coding)
                if quality > (best?.quality ?? 0) { best = (index, quality) }
            }
        }
        let identity = identityQuality
        guard let best else { return identity == 0 ? .notAcceptable : .identity }
        // Identity without a weight of its own is acceptable, but who lists codings prefers them.
        return (identity ?? 0) > best.quality ? .identity : .coding(best.index)
    }

    /// The outcome of `choose(from:)`.
    package enum Choice: Equatable, Sendable {
        /// Send the coding at this index.
        case coding(Int)
        /// Send without a coding.
        case identity
        /// Identity is refused and no coding that is there is acceptable: 406.
        case notAcceptable
    }
}
