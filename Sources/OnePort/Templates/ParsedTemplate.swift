import HTTPKit
import Mustache

/// One template and the partials that it names.
struct ParsedTemplate: Sendable {
    let template: MustacheTemplate
    /// The names of its partials, with the line that includes each.
    let partials: [(name: String, line: Int)]

    init(_ text: String, file: String) throws(TemplateError) {
        do {
            Escaping.register
            template = try MustacheTemplate(string: Escaping.pragma + text)
        } catch let error as MustacheTemplate.ParserError {
            throw .syntax(
                file: file, line: max(1, error.context.lineNumber - 1), column: error.context.columnNumber,
                text: error.context.line.trimmed, problem: Self.problem(error.error))
        } catch {
            throw .syntax(file: file, line: 1, column: 1, text: "", problem: "\(error)")
        }
        partials = Self.partials(of: text)
    }

    /// Escapes what tags insert: mustache's own escaping goes by `Character`, so that one which combines with `<` hides it.
    private struct Escaping: MustacheContentType {
        /// Puts ours in the place of mustache's own, for templates that ask for HTML by name as well.
        static let register: Void = MustacheContentTypes.register(Escaping(), named: "HTML")
        /// The line that has a template escaped so. Each partial needs its own: it begins with mustache's default.
        static let pragma = "{{% CONTENT_TYPE: HTML}}\n"

        func escapeText(_ text: String) -> String { text.htmlEscaped }
    }

    private static func problem(_ error: any Error) -> String {
        switch error as? MustacheTemplate.Error {
        case .sectionCloseNameIncorrect: "the end of a section does not have the name of its start"
        case .unfinishedName: "a tag is not closed"
        case .expectedSectionEnd: "a section is not closed"
        case .invalidSetDelimiter: "the tag that sets delimiters is malformed"
        case .transformAppliedToInheritanceSection: "an inherited section takes no transform"
        case .illegalTokenInsideInheritSection: "a tag that an inheriting section may not hold"
        case .textInsideInheritSection: "text inside an inheriting section"
        case .invalidConfigVariableSyntax: "a configuration variable is malformed"
        case .unrecognisedConfigVariable: "an unknown configuration variable"
        case nil: "it cannot be read as mustache"
        }
    }

    /// The partials that stand in the text by name: `{{> head}}`. A name that is computed (`{{> *name}}`) is only
    /// known when rendering, and a text that sets other delimiters, or comments tags out, is not looked through.
    private static func partials(of text: String) -> [(name: String, line: Int)] {
        if text.contains("{{=") || text.contains("{{!") { return [] }
        var found: [(name: String, line: Int)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var rest = line[...]
            while let open = rest.firstRange(of: "{{>") {
                rest = rest[open.upperBound...]
                guard let close = rest.firstRange(of: "}}") else { break }
                let name = String(rest[..<close.lowerBound]).trimmed
                if !name.hasPrefix("*") { found.append((name, index + 1)) }
                rest = rest[close.upperBound...]
            }
        }
        return found
    }
}

extension String {
    /// Without white space at both ends.
    fileprivate var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
