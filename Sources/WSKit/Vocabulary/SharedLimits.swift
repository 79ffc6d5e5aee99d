import HTTPKit

/// The limits of an endpoint, shared by all its connections. A copy for each connection would take more memory than
/// everything else that an idle connection holds.
package final class SharedLimits: Sendable {
    package let value: WSLimits
    /// How slowly a peer may read.
    let writeLimits: WriteProgress.Limits

    package init(_ value: WSLimits) {
        self.value = value
        writeLimits = WriteProgress.Limits(
            timeout: value.sendTimeout, countsFullOnly: true, rate: value.minSendRate,
            grace: value.sendRateGracePeriod)
    }
}
