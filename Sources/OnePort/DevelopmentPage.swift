import HTTPKit
import HTTPTypes

/// The page that shows a handler's error to its developer; in production nobody sees more than the status.
enum DevelopmentPage {
    static func response(error: any Error, request: Request) -> Response? {
        guard request.fields[.accept]?.contains("text/html") == true else {
            return .text("\(error)\n", status: .internalServerError)
        }
        var page = "<!doctype html><meta charset=utf-8><title>500</title>"
        page += "<style>body{font:16px/1.5 system-ui;margin:3rem auto;max-width:60rem;padding:0 1rem}"
        page += "pre{background:#8882;padding:1rem;overflow:auto;border-radius:.5rem}</style>"
        page += "<h1>500</h1><p>A handler threw an error.</p>"
        page += "<pre>\(escape("\(type(of: error)): \(error)"))</pre>"
        page += "<p>Route <code>\(escape("\(request.method.rawValue) \(request.pattern)"))</code>, "
        page += "target <code>\(escape(request.target))</code></p>"
        page +=
            "<p>Shown in development only: with <code>--environment production</code> it is a bare 500.</p>"
        return .html(page, status: .internalServerError)
    }

    private static func escape(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
        return result
    }
}
