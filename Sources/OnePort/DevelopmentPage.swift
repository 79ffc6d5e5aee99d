import HTTPKit
import HTTPTypes

/// The page that shows the details of an error in development.
enum DevelopmentPage {
    /// The page for a server error (5xx), or `nil` for other errors, which clients may see anyway.
    static func response(error: any Error, request: Request?) -> Response? {
        guard error.isServerFault else { return nil }
        let response = Response(error: error, for: request, revealing: true)
        let status = response.status
        guard let request, response.fields[.contentType]?.hasPrefix("text/html") == true else {
            return response
        }
        let thrown = "\(type(of: error)): \(error)".htmlEscaped
        let route = "\(request.method.rawValue) \(request.pattern)".htmlEscaped
        var page = "<!doctype html><meta charset=utf-8><title>\(status.code)</title>"
        page += "<style>body{font:16px/1.5 system-ui;margin:3rem auto;max-width:60rem;padding:0 1rem}"
        page += "pre{background:#8882;padding:1rem;overflow:auto;border-radius:.5rem}</style>"
        page += "<h1>\(status.code)</h1><p>A handler threw an error.</p>"
        page += "<pre>\(thrown)</pre>"
        page += "<p>Route <code>\(route)</code>, "
        page += "target <code>\(request.target.htmlEscaped)</code></p>"
        page +=
            "<p>Shown in development only. With <code>--environment production</code>, clients see only the status.</p>"
        var pageResponse = Response.html(page, status: status)
        pageResponse.fields[.vary] = response.fields[.vary]
        return pageResponse
    }
}
