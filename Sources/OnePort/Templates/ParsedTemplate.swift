import HTTPKit
import Mustache

/// A template and the names of its partials.
struct ParsedTemplate: Sendable {
    let template: MustacheTemplate
    /// The names of its partials, with the lines that include them.
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

    /// Escapes inserted text. Mustache's own escaping works on `Character`s, so a combining character hides a `<`.
    private struct Escaping: MustacheContentType {
        /// Replaces mustache's own escaping, also for templates that request HTML by name.
        static let register: Void = MustacheContentTypes.register(Escaping(), named: "HTML")
        /// The line that selects this escaping. Each partial needs its own, because partials start with mustache's default.
        static let pragma = "{{% CONTENT_TYPE: HTML}}\n"

        func escapeText(_ text: String) -> String { text.htmlEscaped }
    }

    private static func problem(_ error: any Error) -> String {
        switch error as? MustacheTemplate.Error {
        case .sectionCloseNameIncorrect: "the end of a section has a different name than its start"
        case .unfinishedName: "a tag is not closed"
        case .expectedSectionEnd: "a section is not closed"
        case .invalidSetDelimiter: "the tag that sets delimiters is malformed"
        case .transformAppliedToInheritanceSection: "an inherited section cannot have a transform"
        case .illegalTokenInsideInheritSection: "a tag that is not allowed in an inheriting section"
        case .textInsideInheritSection: "text is not allowed in an inheriting section"
        case .invalidConfigVariableSyntax: "a configuration variable is malformed"
        case .unrecognisedConfigVariable: "an unknown configuration variable"
        case nil: "it is not a valid mustache template"
        }
    }

    /// The partials that the text includes by name: `{{> head}}`. A dynamic name (`{{> *name}}`) is only known when
    /// rendering. A text that sets other delimiters or contains comments is not searched.
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
    /// The text without leading and trailing white space.
    fileprivate var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
