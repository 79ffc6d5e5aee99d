import Mustache
import Synchronization

/// The pages of an application: the `*.mustache` files below a folder, by name.
///
/// `{{name}}` is escaped for HTML, `{{{name}}}` is not; `{{> head}}` includes `head.mustache`,
/// `{{> parts/head}}` that of a folder. All files are read and checked when the application starts. With
/// `reload`, as in development, a file that has changed is read again before the next page is rendered.
public final class Templates: Sendable {
    private struct State {
        var library = MustacheLibrary()
        var parsed: [String: ParsedTemplate] = [:]
        var stamps: [String: TemplateFolder.Stamp] = [:]
        var problem: TemplateError?
        var lastLook: ContinuousClock.Instant
    }

    /// How long a look at the files' times is good for, so that a page made of many templates, or a burst of
    /// requests, looks once.
    package static let lookInterval: Duration = .milliseconds(100)

    private let folder: TemplateFolder?
    private let reload: Bool
    private let state: Mutex<State>

    /// Reads all templates below a folder.
    /// - Parameters:
    ///   - folder: The folder; a relative path starts at the working directory.
    ///   - reload: Whether files that change are read again; for development, since it looks at the files when it
    ///     renders.
    /// - Throws: `TemplateError` when the folder is missing, saying where it was looked for, or when a file is not
    ///   a template, naming the file and the line; with `reload`, `render` throws the latter until it is mended.
    public convenience init(folder: String, reload: Bool = false) throws(TemplateError) {
        try self.init(folder: folder, reload: reload, at: .now)
    }

    package init(folder path: String, reload: Bool, at now: ContinuousClock.Instant) throws(TemplateError) {
        let folder = try TemplateFolder(path)
        var state = State(lastLook: now)
        do {
            try Self.look(folder, &state)
        } catch {
            // In development the page shows what is wrong, and the file is about to be mended.
            guard reload, folder.exists else { throw error }
            state.problem = error
        }
        self.folder = folder
        self.reload = reload
        self.state = Mutex(state)
    }

    /// Templates from texts, by name, instead of files.
    /// - Throws: `TemplateError` when a text is not a template, or names a partial that is not there.
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

    /// The text of a page.
    /// - Parameters:
    ///   - name: The template: the path of its file below the folder, without `.mustache`.
    ///   - context: What its tags name: a dictionary with `String` keys, or any value with properties of those
    ///     names.
    /// - Throws: `TemplateError` when there is no such template; with `reload`, also when a file has been broken
    ///   since.
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
        // Rendered outside of the lock: a context's properties are the application's code.
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

    /// Reads the files that are new or have changed; when one is broken, `state` stays as it was.
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

    /// Makes the library of all parsed templates and checks that each partial is there: mustache renders nothing
    /// for one that is not, which is hard to see.
    private static func link(_ state: inout State, file: (String) -> String) throws(TemplateError) {
        for (name, parsed) in state.parsed.sorted(by: { $0.key < $1.key }) {
            for partial in parsed.partials where state.parsed[partial.name] == nil {
                throw .partialMissing(file: file(name), line: partial.line, partial: partial.name)
            }
        }
        state.library = MustacheLibrary(templates: state.parsed.mapValues(\.template))
    }
}
