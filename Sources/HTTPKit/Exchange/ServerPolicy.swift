package import Logging
package import NIOCore

/// Makes the response to an error, or leaves it to the server with `nil`. There is no request where none could be read.
package typealias ErrorResponder = @Sendable (any Error, Request?) -> Response?

/// What holds for all exchanges of one server, whatever carries them: limits, logs, proxies, responses to errors.
package final class ServerPolicy: Sendable {
    package let limits: HTTPLimits
    package let logger: Logger
    /// The values that every request of this server begins with.
    let values: RequestValues
    /// Tells the proxies that are trusted.
    let isProxy: (@Sendable (SocketAddress) -> Bool)?
    /// Which of the proxies' fields are read.
    let forwardedFields: ForwardedFields
    /// Makes the response to an error: to what handlers, middleware and the router throw, and to requests that are
    /// refused before they have a handler, for which there is no `Request`. `nil` leaves the plain response.
    let errorResponse: ErrorResponder?
    /// The error handlers of the application for a request, the innermost first; asked for when an error was thrown.
    /// Without a request they are those of the whole application.
    let errorHandlers: (@Sendable (Request?) -> [ErrorHandler])?
    /// The log lines that clients can cause.
    package let clientLog: ClientLog

    package init(
        limits: HTTPLimits, logger: Logger, values: RequestValues = RequestValues(),
        isProxy: (@Sendable (SocketAddress) -> Bool)? = nil, forwardedFields: ForwardedFields = .xForwarded,
        errorResponse: ErrorResponder? = nil,
        errorHandlers: (@Sendable (Request?) -> [ErrorHandler])? = nil, clientLog: ClientLog? = nil
    ) {
        self.limits = limits
        self.logger = logger
        self.values = values
        self.isProxy = isProxy
        self.forwardedFields = forwardedFields
        self.errorResponse = errorResponse
        self.errorHandlers = errorHandlers
        self.clientLog = clientLog ?? ClientLog(rate: limits.clientErrorLogRate)
    }

    /// The same with other limits.
    func limited(to limits: HTTPLimits) -> ServerPolicy {
        ServerPolicy(
            limits: limits, logger: logger, values: values, isProxy: isProxy,
            forwardedFields: forwardedFields,
            errorResponse: errorResponse, errorHandlers: errorHandlers, clientLog: clientLog)
    }
}

/// Values by their keys, whose types they have.
public struct RequestValues: Sendable {
    private var values: [ObjectIdentifier: any Sendable] = [:]

    /// No values.
    public init() {}

    /// The value of `key`; `nil` where there is none.
    public subscript<Key: RequestKey>(key: Key.Type) -> Key.Value? {
        get { values[ObjectIdentifier(key)] as? Key.Value }
        set { values[ObjectIdentifier(key)] = newValue }
    }

    var isEmpty: Bool { values.isEmpty }
}
