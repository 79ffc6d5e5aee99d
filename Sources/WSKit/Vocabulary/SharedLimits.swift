/// The limits of an endpoint, shared by all its connections. A copy for each connection would take more memory than
/// everything else that an idle connection holds.
package final class SharedLimits: Sendable {
    package let value: WSLimits

    package init(_ value: WSLimits) { self.value = value }
}
