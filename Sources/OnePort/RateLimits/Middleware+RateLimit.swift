import HTTPKit
import HTTPTypes

extension Middleware {
    /// Rejects requests above a limit with 429 and Retry-After (RFC 6585 §4, RFC 9110 §10.2.3). Responses tell the limit and
    /// what is left of it in RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers).
    ///
    /// ```swift
    /// app.use(.rateLimit(RateLimit(600, per: .seconds(60))))
    /// app.group("/sign-in", .rateLimit(RateLimit(5, per: .seconds(60)), name: "sign-in")) { … }
    /// ```
    /// It counts within this process.
    ///
    /// - Parameters:
    ///   - limit: how many requests.
    ///   - key: what they are counted by.
    ///   - name: the name of the limit in the fields, where several apply to one request.
    ///   - maxKeys: the most keys that are counted at the same time. Above, those that have used least are forgotten.
    ///   - now: the clock.
    public static func rateLimit(
        _ limit: RateLimit, by key: RateLimitKey = .address, name: String = "default", maxKeys: Int = 100_000,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) -> Middleware {
        let limiter = RateLimiter<RateLimitKey.Value>(limit, maxKeys: maxKeys)
        let form = RateLimitFields(limit, name: name)
        return Middleware { request, next in
            guard let value = key.value(request) else { return try await next(request) }
            let decision = limiter.take(value, now: now())
            let fields = form.fields(decision)
            guard decision.isAllowed else {
                throw HTTPFailure(
                    .tooManyRequests,
                    "more than \(limit.burst) requests at once, or \(limit.count) in \(limit.period)",
                    fields: fields)
            }
            do {
                var response = try await next(request)
                if response.status != .switchingProtocols { response.fields.append(contentsOf: fields) }
                return response
            } catch {
                request.addErrorFields(fields)
                throw error
            }
        }
    }
}

/// The fields of draft-ietf-httpapi-ratelimit-headers-10.
struct RateLimitFields: Sendable {
    private static let policyName = HTTPField.Name("RateLimit-Policy")
    private static let stateName = HTTPField.Name("RateLimit")

    private let name: String
    private let policy: String

    init(_ limit: RateLimit, name: String) {
        // A string of structured fields (RFC 9651 §3.3.3).
        let plain = name.filter { $0.isASCII && $0 >= " " && $0 <= "~" && $0 != "\"" && $0 != "\\" }
        self.name = "\"\(plain)\""
        policy = "\(self.name);q=\(limit.burst);w=\(Self.seconds(limit.interval * limit.burst))"
    }

    func fields(_ decision: TokenBucket.Decision) -> HTTPFields {
        var fields: HTTPFields = [:]
        if let name = Self.policyName { fields.append(HTTPField(name: name, value: policy)) }
        if let name = Self.stateName {
            let wait = decision.remaining > 0 ? decision.fullIn : decision.retryIn
            let state = "\(self.name);r=\(decision.remaining);t=\(Self.seconds(wait))"
            fields.append(HTTPField(name: name, value: state))
        }
        if !decision.isAllowed { fields[.retryAfter] = "\(Self.seconds(decision.retryIn))" }
        return fields
    }

    /// Whole seconds, rounded up, so that a client that waits so long is not too early.
    private static func seconds(_ duration: Duration) -> Int64 {
        let (seconds, fraction) = duration.components
        return max(1, seconds + (fraction > 0 ? 1 : 0))
    }
}
