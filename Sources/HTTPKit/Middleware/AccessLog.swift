import HTTPTypes
public import Logging
import NIOCore

extension Middleware {
    /// Logs each request at level info when its response has been handed over: method, path, status, time, the bytes of
    /// the body, and the id where there is one, also that of `requestID` further in.
    ///
    /// A streamed response is logged at its end, with the time that it took. A connection that ended before is logged as
    /// `end=aborted`. The status is the one that was sent.
    ///
    /// - Parameter logger: where to log; `nil` is the server's own logger, with its level.
    public static func accessLog(_ logger: Logger? = nil) -> Middleware {
        Middleware { request, next in
            let logger = logger ?? request.connection.policy.logger
            let start = LoopInstant.now
            defer { request.onEnd { Self.log(request, since: start, end: $0, to: logger) } }
            return try await next(request)
        }
    }

    private static func log(_ request: Request, since start: LoopInstant, end: ExchangeEnd, to logger: Logger)
    {
        var metadata: Logger.Metadata = [
            "method": "\(request.method.rawValue)", "path": .clean(request.path),
            "status": "\(end.status)", "bytes": "\(end.bytes)",
            "ms": "\(LoopInstant.now.milliseconds - start.milliseconds)",
        ]
        if !end.isComplete { metadata["end"] = "aborted" }
        if let id = request.id ?? end.id { metadata["id"] = .clean(id) }
        logger.info("request", metadata: metadata)
    }

    /// `accessLog()` with the server's own logger.
    public static var accessLog: Middleware { accessLog() }
}
