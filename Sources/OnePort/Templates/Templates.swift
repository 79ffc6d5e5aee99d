import Mustache
import Synchronization

/// The templates of an application: the `*.mustache` files in a folder and its subfolders.
///
/// `{{name}}` is escaped for HTML, `{{{name}}}` is not. `{{> head}}` includes `head.mustache`, and `{{> parts/head}}`
/// includes `parts/head.mustache`. All files are read and checked when the application starts. With `reload`, as in
/// development, changed files are read again before a page is rendered.
public final class Templates: Sendable {
    private struct State {
        var library = MustacheLibrary()
        var parsed: [String: ParsedTemplate] = [:]
        var stamps: [String: TemplateFolder.Stamp] = [:]
        var problem: TemplateError?
        var lastLook: ContinuousClock.Instant
    }

    /// How often the files are checked for changes at most, so that a page with many templates, or a burst of requests,
    /// checks them once.
    package static let lookInterval: Duration = .milliseconds(100)

    private let folder: TemplateFolder?
    private let reload: Bool
    private let state: Mutex<State>

    /// Reads all templates in a folder and its subfolders.
    /// - Parameters:
    ///   - folder: The folder. A relative path starts at the working directory.
    ///   - reload: Whether changed files are read again. This is for development, because `render` checks the files.
    /// - Throws: `TemplateError` if the folder is missing, naming its path, or if a file is not a template, naming the
    ///   file and the line. With `reload`, `render` throws the latter error until the file is corrected.
    public convenience init(folder: String, reload: Bool = false) throws(TemplateError) {
        try self.init(folder: folder, reload: reload, at: .now)
    }

    package init(folder path: String, reload: Bool, at now: ContinuousClock.Instant) throws(TemplateError) {
        let folder = try TemplateFolder(path)
        var state = State(lastLook: now)
        do {
            try Self.look(folder, &state)
        } catch {
            // In development, the page shows the error until the file is corrected.
            guard reload, folder.exists else { throw error }
            state.problem = error
        }
        self.folder = folder
        self.reload = reload
        self.state = Mutex(state)
    }

    /// Creates templates from texts by name, instead of files.
    /// - Throws: `TemplateError` if a text is not a template, or includes a partial that does not exist.
    public init(texts: [String: String]) throws(TemplateError) {
        var state = State(lastLook: .now)
        for (name, text) in texts { state.parsed[name] = try ParsedTemplate(text, file: name) }
        try Self.link(&state) { $0 }
        folder = nil
        reload = false
        self.state = Mutex(state)
    }

    /// The names of all templates, sorted.
    public var names: [String] { state.withLock { $0.parsed.keys.sorted() } }

    /// Renders a template.
    /// - Parameters:
    ///   - name: The template's path within the folder, without `.mustache`.
    ///   - context: The values of its tags: a dictionary with `String` keys, or a value with properties of these names.
    /// - Throws: `TemplateError` if there is no such template. With `reload`, also if a changed file is not a template.
    public func render(_ name: String, _ context: Any = [String: String]()) throws(TemplateError) -> String {
        try render(name, context, at: .now)
    }

    package func render(
        _ name: String, _ context: Any, at now: ContinuousClock.Instant
    ) throws(TemplateError) -> String {
        let looked: Result<MustacheLibrary, TemplateError> = state.withLock { state in
            if reload, let folder, now - state.lastLook >= Self.lookInterval {
                Self.lookAgain(folder, &state, now)
            }
            return state.problem.map { .failure($0) } ?? .success(state.library)
        }
        // Renders outside the lock, because a context's properties are the application's code.
        guard let text = try looked.get().render(context, withTemplate: name) else {
            throw .unknown(name: name, folder: folder?.path ?? "")
        }
        return text
    }

    private static func lookAgain(
        _ folder: TemplateFolder, _ state: inout State, _ now: ContinuousClock.Instant
    ) {
        state.lastLook = now
        do {
            try look(folder, &state)
            state.problem = nil
        } catch {
            state.problem = error
        }
    }

    /// Reads new and changed files. If one is invalid, `state` is unchanged.
    private static func look(_ folder: TemplateFolder, _ state: inout State) throws(TemplateError) {
        let stamps = try folder.stamps()
        if stamps == state.stamps { return }
        var next = state
        next.parsed = next.parsed.filter { stamps[$0.key] != nil }
        for (name, stamp) in stamps where state.stamps[name] != stamp {
            next.parsed[name] = try ParsedTemplate(folder.read(name), file: folder.file(name))
        }
        next.stamps = stamps
        try link(&next) { folder.file($0) }
        state = next
    }

    /// Creates the library of all parsed templates, and checks that all partials exist. Mustache renders nothing for a
    /// missing partial, which is easily overlooked.
    private static func link(_ state: inout State, file: (String) -> String) throws(TemplateError) {
        for (name, parsed) in state.parsed.sorted(by: { $0.key < $1.key }) {
            for partial in parsed.partials where state.parsed[partial.name] == nil {
                throw .partialMissing(file: file(name), line: partial.line, partial: partial.name)
            }
        }
        state.library = MustacheLibrary(templates: state.parsed.mapValues(\.template))
    }
}
