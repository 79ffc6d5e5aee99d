package import NIOCore

/// An outbound event: the connection ends at once, without the goodbye of a protocol below, such as close_notify in TLS.
/// A peer that gets one may take what has arrived for whole.
package struct ConnectionAbort: Sendable {
    package init() {}
}

extension Channel {
    /// Ends the connection at once, whatever stands in its pipeline.
    package func abort() {
        // Without a handler that knows it, the event fails and changes nothing.
        triggerUserOutboundEvent(ConnectionAbort(), promise: nil)
        close(promise: nil)
    }
}
