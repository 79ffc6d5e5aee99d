/// The limits of an endpoint, which all of its connections share: by themselves they are larger than all else that
/// an idle connection keeps.
package final class SharedLimits: Sendable {
    package let value: WSLimits

    package init(_ value: WSLimits) { self.value = value }
}
