import HTTPTypes
import Logging

/// The one way from an error to its response: what handlers, middleware and the router throw, requests that cannot be
/// read, and connections that are not taken.
extension ServerPolicy {
    /// Makes the response to `error`, and logs it once if it is a fault of the program.
    ///
    /// - Parameter request: `nil` when it could not be read.
    package func response(to error: any Error, of request: Request?) -> Response {
        if error.isServerFault { report(error, of: request) }
        let standard = Response(error: error)
        guard var response = errorResponse?(error, request) else { return standard }
        // Fields that the status needs, such as Allow, are sent with a page of the application's own too.
        if response.status == standard.status, let fields = (error as? any ResponseError)?.fields {
            ErrorFields(fields: fields, unless: nil).add(to: &response.fields)
        }
        return response
    }

    private func report(_ error: any Error, of request: Request?) {
        var metadata: Logger.Metadata = ["error": .clean(error)]
        if let request {
            metadata["route"] = .clean("\(request.method.rawValue) \(request.pattern)")
            if let id = request.id { metadata["id"] = .clean(id) }
        }
        logger.error("handler failed", metadata: metadata)
    }
}

extension Error {
    /// Whether the program is at fault: the error is not meant for clients, or its status is 5xx. Its text is for the log
    /// then, and for the page of development.
    ///
    /// `HTTPError` is about the request, also where its status is 501, 503 or 505. A handler that was cancelled has not
    /// failed: its client is gone, or the server is about to be.
    package var isServerFault: Bool {
        guard let error = self as? any ResponseError else { return !(self is CancellationError) }
        return !(error is HTTPError) && error.status.code >= 500
    }
}
