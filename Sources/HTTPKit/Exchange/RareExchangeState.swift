import HTTPTypes
import NIOCore

/// What only some exchanges need. It is made when it is first needed and dropped at the end of the exchange, so other
/// exchanges pay nothing for it.
///
/// Invariant: touched on the connection's event loop only.
final class RareExchangeState {
    /// The trailer fields to send behind the chunks (RFC 9110 §6.5).
    var trailers: HTTPFields?
    /// Called once if the connection closes before the response is complete.
    var disconnectActions: [@Sendable () -> Void] = []
    /// Called once if the server begins to drain before the response is complete.
    var drainActions: [@Sendable () -> Void] = []
    /// Set while the response is an event stream.
    var events: EventStreamState?
    /// How many tasks are in the middle of a write that an encoder does in several steps.
    var encodingWrites = 0
    /// For how long nothing has been sent.
    var pause = SendPause()
    /// Whether the client has closed its side of the connection.
    var isHalfClosed = false
}

/// The state of an event stream whose head has been sent.
struct EventStreamState {
    /// The longest pause before a heartbeat, in milliseconds; `nil` for none.
    let heartbeat: Int64?
    /// What changes the content on its way.
    let encoder: (any ContentEncoder)?
    /// Whether a heartbeat is due at the next tick, whatever was sent before.
    var isProbeDue = false
}

/// For how long nothing has been sent to a client.
struct SendPause {
    /// When it began, and how many bytes had been sent by then; `nil` until the next look.
    private var start: (time: LoopInstant, sent: Int)?

    /// The pause begins at the next look, whatever was before.
    mutating func restart() { start = nil }

    /// Looks whether it goes on, and says when it began.
    ///
    /// - Parameters:
    ///   - sent: how many bytes the transport has been given, all in all.
    ///   - unsent: how many of them wait for the client to read.
    mutating func look(sent: Int, unsent: Int, now: LoopInstant) -> LoopInstant {
        if unsent == 0, let start, start.sent == sent { return start.time }
        start = (now, sent)
        return now
    }
}
