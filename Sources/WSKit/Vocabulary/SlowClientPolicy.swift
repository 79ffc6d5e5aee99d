/// What becomes of a published message for a subscriber whose send buffer is full: publishers never wait.
public enum SlowClientPolicy: Sendable, Hashable {
    /// The subscriber misses this message.
    case drop
    /// The subscriber gets the newest message it missed once it reads again: for states, prices, positions.
    case latestOnly
    /// The subscriber is disconnected with this code, by default 1013 (try again later), so that it can come back
    /// and catch up.
    case disconnect(CloseCode)

    /// Disconnects with 1013: nothing is missed unnoticed.
    public static let `default` = SlowClientPolicy.disconnect(.tryAgainLater)
}
