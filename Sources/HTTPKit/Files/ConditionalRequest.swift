import HTTPTypes

/// What the preconditions of a request decide (RFC 9110 §13.2.2).
package enum Preconditions: Equatable, Sendable {
    /// They hold, or there are none.
    case proceed
    /// 304: the client has what it asks for.
    case notModified
    /// 412: the representation is not the one that the client means.
    case failed
}

/// The validators of a representation (RFC 9110 §8.8).
package struct Validators: Sendable {
    /// Its entity tag.
    package let entityTag: EntityTag?
    /// Its last modification in whole seconds, never later than the time of the answer (§8.8.2.1).
    package let lastModified: HTTPDate?

    /// The validators of a representation that exists.
    package init(entityTag: EntityTag?, lastModified: HTTPDate?) {
        self.entityTag = entityTag
        self.lastModified = lastModified
    }

    /// Evaluates the preconditions for an existing representation in the order of §13.2.2, which is to be done
    /// only when the answer would be a 2xx otherwise (§13.2.1).
    ///
    /// - Parameters:
    ///   - isSafe: Whether the method is GET or HEAD, to which alone If-Modified-Since applies and which get 304
    ///     rather than 412 from If-None-Match.
    ///   - now: The time against which two-digit years are read.
    package func evaluate(_ fields: some FieldLookup, isSafe: Bool, now: HTTPDate) -> Preconditions {
        if fields.isUnconditional { return .proceed }
        if let field = fields.value(.ifMatch) {
            // §13.1.1: the strong comparison.
            if case .tags(let tags) = EntityTagList(parsing: field) {
                guard let entityTag, tags.contains(where: entityTag.stronglyMatches) else { return .failed }
            }
        } else if let field = fields.value(.ifUnmodifiedSince), let lastModified {
            // §13.1.4: a field that is no date is ignored.
            if let date = HTTPDate(parsing: field, now: now), lastModified > date { return .failed }
        }
        if let field = fields.value(.ifNoneMatch) {
            // §13.1.2: the weak comparison.
            let matches =
                switch EntityTagList(parsing: field) {
                case .any: true
                case .tags(let tags):
                    entityTag.map { own in tags.contains(where: own.weaklyMatches) } ?? false
                }
            if matches { return isSafe ? .notModified : .failed }
        } else if isSafe, let field = fields.value(.ifModifiedSince), let lastModified {
            // §13.1.3: ignored beside If-None-Match, with other methods, and when it is no date.
            if let date = HTTPDate(parsing: field, now: now), lastModified <= date { return .notModified }
        }
        return .proceed
    }

    /// Whether If-Range lets the Range field count (§13.1.5): a strong match of the tag, or exactly the
    /// modification date where that date is a strong validator (§8.8.2.2).
    package func satisfiesIfRange(_ field: String, now: HTTPDate) -> Bool {
        var scanner = FieldScanner(field)
        if let tag = scanner.entityTag() {
            return scanner.isAtEnd && entityTag.map(tag.stronglyMatches) ?? false
        }
        guard let date = HTTPDate(parsing: field, now: now), let lastModified else { return false }
        // Within its own second a file may change again and keep its date.
        return date == lastModified && lastModified < now
    }
}
