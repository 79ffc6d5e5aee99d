/// What happens to a published message when a subscriber's send buffer is full. Publishers never wait.
public enum SlowClientPolicy: Sendable, Hashable {
    /// The subscriber misses this message.
    case drop
    /// The subscriber gets only the newest of the messages that it missed once it reads again. This suits states, prices
    /// and positions.
    ///
    /// A client that pauses first gets the messages that were already on their way, then the newest one.
    /// `WSLimits.latestOnlyUnsentSize` keeps the number of stale messages small. It applies to everything that the socket
    /// sends until the subscriber leaves.
    case latestOnly
    /// The subscriber is disconnected with this code, so that it can reconnect and catch up. The default is 1013 (try
    /// again later).
    ///
    /// The code must be one that may be sent (``CloseCode/isAllowedOnWire``). With any other code, debug builds stop where
    /// the policy is set, and release builds use 1013.
    case disconnect(CloseCode)

    /// Disconnects with 1013, so that no subscriber misses a message without noticing.
    public static let `default` = SlowClientPolicy.disconnect(.tryAgainLater)
}

extension SlowClientPolicy {
    /// The policy, with 1013 in place of a code that must not be sent.
    var sendable: SlowClientPolicy {
        if case .disconnect(let code) = self, !code.isAllowedOnWire { return .default }
        return self
    }

    /// The policy of an application. Stops debug builds if its close code must not be sent.
    var checked: SlowClientPolicy {
        assert(self == sendable, "\(self): this code must not be sent")
        return sendable
    }
}
