package import HTTPTypes
package import NIOCore

/// What carries an exchange: an HTTP/1.1 connection, a stream of HTTP/2, or memory in a test.
///
/// It knows how a message looks on its wire. What a response means, and in which order its pieces may come, is the
/// exchange's business. All calls come on the event loop of the exchange.
package protocol ExchangeCarrier: AnyObject {
    // MARK: The response

    /// Whether the client takes what is sent to it.
    var isWritable: Bool { get }

    /// Sends a response whose content is there as a whole, or that has none.
    ///
    /// - Returns: how many bytes of content were sent.
    func send(_ response: Response, of exchange: Exchange) -> Int

    /// Sends the head of a response whose content follows.
    ///
    /// - Returns: how the content is delimited, to be handed back with each piece.
    func sendHead(of response: Response, _ exchange: Exchange) -> ResponseFraming

    /// Sends a piece of content, which is not empty.
    func write(_ data: ByteBuffer, _ framing: ResponseFraming)

    /// Whether files are handed to the channel as they are; else they are sent as bytes.
    var sendsFiles: Bool { get }

    /// Sends a stretch of a file as content, and returns when the channel has passed it on.
    func write(_ file: FileSlice, offset: Int, count: Int) async throws

    /// Ends the content, with trailer fields where they can be sent (RFC 9110 §6.5).
    func endContent(_ framing: ResponseFraming, trailers: HTTPFields?)

    /// Sends an interim response (RFC 9110 §15.2), where the protocol has any.
    func sendInterim(_ status: HTTPResponse.Status, fields: HTTPFields)

    /// Sends what has gathered, without waiting for the end of the turn.
    func flush()

    /// Suspends the caller until the client takes more, or the exchange has ended.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    func waitUntilWritable(_ exchange: Exchange) async throws

    /// The response is complete; the client may still be sending content.
    func responseIsComplete(_ exchange: Exchange)

    /// Breaks the exchange off in the midst of its response, in a way that the client sees.
    func breakOff(_ exchange: Exchange)

    /// Cancels the handler of an exchange whose response has been completed without it.
    func stopHandler(of exchange: Exchange)

    // MARK: The change of protocol

    /// Answers the request with the change of protocol, and hands the bytes of its stream over.
    ///
    /// - Throws: why this request cannot change its protocol.
    func perform(_ upgrade: Upgrade, fields: HTTPFields, of exchange: Exchange) throws

    // MARK: The content of the request

    /// The handler waits for content.
    func contentIsWanted()
    /// The handler waits no longer, since its task was cancelled.
    func contentIsNotWanted()
    /// The handler has taken content, so that there is room for more.
    func contentWasRead()
}
