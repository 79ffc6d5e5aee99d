/// What becomes of a published message for a subscriber whose send buffer is full: publishers never wait.
public enum SlowClientPolicy: Sendable, Hashable {
    /// The subscriber misses this message.
    case drop
    /// The subscriber gets the newest message it missed once it reads again: for states, prices, positions. A client that
    /// pauses gets what was on its way, then the newest: `WSLimits.latestOnlyUnsentSize` keeps that small. Until the
    /// subscriber leaves, all that the socket sends is held to it.
    case latestOnly
    /// The subscriber is disconnected with this code, by default 1013 (try again later), so that it can come back
    /// and catch up. It must be a code that may be sent (``CloseCode/isAllowedOnWire``): with another one debug builds
    /// stop where the policy is given, and release builds use 1013.
    case disconnect(CloseCode)

    /// Disconnects with 1013: nothing is missed unnoticed.
    public static let `default` = SlowClientPolicy.disconnect(.tryAgainLater)
}

extension SlowClientPolicy {
    /// The policy with a code that may be sent.
    var sendable: SlowClientPolicy {
        if case .disconnect(let code) = self, !code.isAllowedOnWire { return .default }
        return self
    }

    /// The policy as an application has given it. A close code that must not be sent is its mistake.
    var checked: SlowClientPolicy {
        assert(self == sendable, "\(self): this code must not be sent")
        return sendable
    }
}
