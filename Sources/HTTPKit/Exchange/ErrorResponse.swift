import HTTPTypes
import Logging

/// The one way from an error to its response: what handlers, middleware and the router throw, requests that cannot be
/// read, and connections that are not taken.
extension ServerPolicy {
    /// Makes the response to `error` by the error handlers of the application or by default, and logs a fault of the
    /// program once.
    package func handledResponse(to error: any Error, of request: Request) async -> Response {
        var last = error
        for handler in errorHandlers?(request) ?? [] {
            do {
                guard let response = try await handler.respond(to: last, of: request) else { continue }
                return finished(response, to: last, first: error, of: request)
            } catch {
                last = error
            }
        }
        return standardResponse(to: last, first: error, of: request)
    }

    /// The same where nothing can be waited for: without a request, only the handlers that need none are asked.
    ///
    /// - Parameter request: `nil` when it could not be read.
    package func response(to error: any Error, of request: Request?) -> Response {
        var last = error
        for handler in errorHandlers?(request) ?? [] {
            do {
                guard let response = try handler.respond(to: last) else { continue }
                return finished(response, to: last, first: error, of: request)
            } catch {
                last = error
            }
        }
        return standardResponse(to: last, first: error, of: request)
    }

    private func standardResponse(to error: any Error, first: any Error, of request: Request?) -> Response {
        guard let response = errorResponse?(error, request) else {
            if error.isServerFault { report(first, of: request) }
            return Response(error: error, for: request)
        }
        return finished(response, to: error, first: first, of: request)
    }

    /// - Parameters:
    ///   - error: what `response` is the response to.
    ///   - first: what was thrown in the beginning.
    private func finished(
        _ response: Response, to error: any Error, first: any Error, of request: Request?
    ) -> Response {
        if error.isServerFault, response.status.code >= 500 { report(first, of: request) }
        // Fields that the status needs, such as Allow, are sent with a page of the application's own too.
        guard let error = error as? any ResponseError, error.status == response.status else {
            return response
        }
        var response = response
        ErrorFields(fields: error.fields, unless: nil).add(to: &response.fields)
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
