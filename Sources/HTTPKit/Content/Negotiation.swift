/// Proactive content negotiation (RFC 9110 §12.1) on the Accept fields.
package enum Negotiation {
    /// The media type to send of those on offer, by the client's weights and then the server's order.
    ///
    /// - Parameters:
    ///   - offers: Media types without weights, the server's favourite first.
    ///   - accept: The combined Accept field; `nil` accepts everything (§12.5.1).
    /// - Returns: The offer, or `nil` when none is acceptable (406).
    package static func preferred(from offers: [String], accept: String?) -> String? {
        guard let accept else { return offers.first }
        let ranges = QualityValues.parse(accept)
        // A field that holds no range that can be understood says nothing.
        guard !ranges.isEmpty else { return offers.first }
        var best: (offer: String, quality: Int)?
        for offer in offers {
            guard let type = MediaType(parsing: offer) else { continue }
            let quality = quality(of: type, in: ranges)
            if quality > (best?.quality ?? 0) { best = (offer, quality) }
        }
        return best?.offer
    }

    /// The weight of the most specific range that matches: with parameters, `type/subtype`, `type/*`, `*/*`.
    private static func quality(of type: MediaType, in ranges: [QualityItem]) -> Int {
        var best = (specificity: -1, quality: 0)
        for range in ranges {
            let specificity: Int
            if range.value == type.essence {
                let matches = range.parameters.allSatisfy { wanted in
                    type[wanted.name]?.lowercased() == wanted.value.lowercased()
                }
                guard matches else { continue }
                specificity = 2 + range.parameters.count
            } else if range.value == type.type + "/*" {
                specificity = 1
            } else if range.value == "*/*" {
                specificity = 0
            } else {
                continue
            }
            if specificity > best.specificity { best = (specificity, range.quality) }
        }
        return best.quality
    }

    /// The language to send of those on offer: each range is tried in the order of weights, shortened from its
    /// end until it fits (lookup, RFC 4647 §3.4).
    ///
    /// - Parameters:
    ///   - offers: Language tags, the server's default first.
    ///   - accept: The combined Accept-Language field.
    /// - Returns: An offer; the first one when nothing fits, for a page in a foreign language is better than none
    ///   (RFC 9110 §12.5.4).
    package static func language(from offers: [String], accept: String?) -> String? {
        let ranges = QualityValues.parse(accept ?? "")
        let refused = Set(ranges.filter { $0.quality == 0 }.map(\.value))
        let wanted = ranges.enumerated().filter { $0.element.quality > 0 }
            .sorted { ($1.element.quality, $0.offset) < ($0.element.quality, $1.offset) }
        for (_, range) in wanted {
            if range.value == "*" {
                if let first = offers.first(where: { !refused.contains($0.lowercased()) }) { return first }
                continue
            }
            // No offer has a longer range for its beginning.
            let longest = offers.reduce(0) { max($0, $1.utf8.count) }
            var subtags = range.value.split(separator: "-", maxSplits: longest).prefix(longest)
            while !subtags.isEmpty {
                let candidate = subtags.joined(separator: "-")
                if let offer = offers.first(where: { offer in
                    let tag = offer.lowercased()
                    return !refused.contains(tag) && (tag == candidate || tag.hasPrefix(candidate + "-"))
                }) {
                    return offer
                }
                subtags.removeLast()
                // A single letter introduces what follows it and means nothing at the end.
                if subtags.last?.count == 1 { subtags.removeLast() }
            }
        }
        return offers.first
    }
}
