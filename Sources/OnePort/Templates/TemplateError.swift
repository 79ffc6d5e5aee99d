/// Why a template could not be loaded or rendered.
public enum TemplateError: Error, Equatable, CustomStringConvertible {
    /// There is no templates folder at this absolute path.
    case folderMissing(path: String)
    /// A file in the folder cannot be read.
    case unreadable(file: String)
    /// A file in the folder is not UTF-8.
    case notUTF8(file: String)
    /// A file in the folder is not valid mustache. Line and column start at 1.
    case syntax(file: String, line: Int, column: Int, text: String, problem: String)
    /// A template includes a partial that does not exist. The line starts at 1.
    case partialMissing(file: String, line: Int, partial: String)
    /// There is no template with that name.
    case unknown(name: String, folder: String)

    /// The problem and its place.
    public var description: String {
        switch self {
        case .folderMissing(let path):
            "templates: there is no folder \(path); --root names the folder that contains Templates"
        case .unreadable(let file): "template \(file): it cannot be read"
        case .notUTF8(let file): "template \(file): it is not UTF-8"
        case .syntax(let file, let line, let column, let text, let problem):
            "template \(file), line \(line), column \(column): \(problem): \(text)"
        case .partialMissing(let file, let line, let partial):
            "template \(file), line \(line): there is no partial \"\(partial)\""
        case .unknown(let name, let folder): "template \"\(name)\": there is no \(folder)/\(name).mustache"
        }
    }
}
