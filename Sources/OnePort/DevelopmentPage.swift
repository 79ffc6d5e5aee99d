import HTTPKit
import HTTPTypes

/// The page that shows a handler's error to its developer; in production nobody sees more than the status.
enum DevelopmentPage {
    /// The page for an error that clients are not told about; `nil` for others.
    static func response(error: any Error, request: Request?) -> Response? {
        guard error.isServerFault else { return nil }
        let responseError = error as? any ResponseError
        let status = responseError?.status ?? .internalServerError
        guard let request, request.fields[.accept]?.contains("text/html") == true else {
            return .text((responseError?.message ?? "\(error)") + "\n", status: status)
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
            "<p>Shown in development only: with <code>--environment production</code> clients see the status.</p>"
        return .html(page, status: status)
    }
}
