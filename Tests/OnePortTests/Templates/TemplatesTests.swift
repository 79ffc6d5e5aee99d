import FoundationEssentials
import Mustache
import OnePort
import Testing

/// A folder of templates for one test. It sets the times of its files, so that no test waits.
private struct Folder: ~Copyable {
    let path = FileManager.default.temporaryDirectory.path + "/templates-" + UUID().uuidString

    init(_ files: [String: String]) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, text) in files { try write(name, text) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String, secondsLater: Double = 0) throws {
        let file = path + "/" + name
        let parent = file.split(separator: "/").dropLast().joined(separator: "/")
        try FileManager.default.createDirectory(atPath: "/" + parent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(filePath: file))
        let time = Date(timeIntervalSince1970: 1_700_000_000 + secondsLater)
        try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: file)
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: path + "/" + name)
    }
}

private struct Person {
    let name: String
    let age: Int?
}

@Suite("Templates")
struct TemplatesTests {
    @Test(
        "inserted text is escaped, except in triple braces",
        arguments: [
            ("<p>{{title}}</p>", "<p>&lt;b&gt;&amp;&quot;&#39;</p>"), ("{{{title}}}", "<b>&\"'"),
            ("{{&title}}", "<b>&\"'"),
            ("{{missing}}.", "."),
        ])
    func escaping(text: String, expected: String) throws {
        let templates = try Templates(texts: ["page": text])
        #expect(try templates.render("page", ["title": "<b>&\"'"]) == expected)
    }

    @Test(
        "text is escaped by scalar, so combining characters do not hide a special one",
        arguments: [
            "{{t}}", "{{#t}}{{.}}{{/t}}", "{{> part}}", "{{<frame}}{{$block}}{{t}}{{/block}}{{/frame}}",
            "{{% CONTENT_TYPE: HTML}}{{t}}", "{{lowercased(t)}}", "{{#list}}{{.}}{{/list}}", "  {{> part}}\n",
            "{{#lambda}}{{t}}{{/lambda}}", "{{name.t}}", "{{=<% %>=}}<%t%>",
        ])
    func combining(text: String) throws {
        let templates = try Templates(texts: [
            "page": text, "part": "{{t}}", "frame": "{{$block}}{{/block}}",
        ])
        let value = "\u{600}<i\u{301}>\"\u{301}'\u{301}&\u{301}"
        let context: [String: Any] = [
            "t": value, "list": [value], "name": ["t": value],
            "lambda": MustacheLambda { text in text },
        ]
        let page = try templates.render("page", context)
        let escaped = "\u{600}&lt;i\u{301}&gt;&quot;\u{301}&#39;\u{301}&amp;\u{301}"
        #expect(Array(page.trimmingPrefix("  ").utf8.prefix(escaped.utf8.count)) == Array(escaped.utf8))
    }

    @Test("a template may still select plain text, and line numbers are those of the file")
    func contentTypes() throws {
        let templates = try Templates(texts: ["page": "{{% CONTENT_TYPE: TEXT}}\n{{t}}", "empty": ""])
        #expect(try templates.render("page", ["t": "<&>"]) == "<&>")
        #expect(try templates.render("empty") == "")
        let error = #expect(throws: TemplateError.self) {
            try Templates(texts: ["page": "one\ntwo {{#a}}\nthree {{/b}}"])
        }
        guard case .syntax(_, let line, _, let text, _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(line == 3 && text == "three {{/b}}")
        #expect(throws: TemplateError.self) { try Templates(texts: ["page": "{{#a"]) }
    }

    @Test("a context is a dictionary or a value with properties")
    func contexts() throws {
        let templates = try Templates(texts: [
            "page": "{{#people}}{{name}}{{#age}} ({{.}}){{/age}};{{/people}}{{^people}}nobody{{/people}}",
            "plain": "plain",
        ])
        let people = [Person(name: "Ann", age: 7), Person(name: "Bo", age: nil)]
        let mixed: [String: any Sendable] = ["people": people]
        #expect(try templates.render("page", mixed) == "Ann (7);Bo;")
        #expect(try templates.render("page", ["people": [String]()]) == "nobody")
        #expect(try templates.render("plain") == "plain")
        #expect(templates.names == ["page", "plain"])
    }

    @Test("files are found by name, also in subfolders; hidden and other files are not templates")
    func files() throws {
        let folder = try Folder([
            "index.mustache": "{{> parts/head}}|{{title}}", "parts/head.mustache": "head {{title}}",
            ".index.mustache": "{{",
            "notes.txt": "{{", "parts/.x/y.mustache": "{{",
        ])
        let templates = try Templates(folder: folder.path + "/")
        #expect(templates.names == ["index", "parts/head"])
        #expect(try templates.render("index", ["title": "a&b"]) == "head a&amp;b|a&amp;b")
        #expect(throws: TemplateError.unknown(name: "../index", folder: folder.path)) {
            try templates.render("../index")
        }
    }

    @Test("the error for a missing folder names its path")
    func missingFolder() {
        let path = "/nowhere/at all/Templates"
        #expect(throws: TemplateError.folderMissing(path: path)) { try Templates(folder: path) }
        let relative = FileManager.default.currentDirectoryPath + "/No Templates"
        #expect(throws: TemplateError.folderMissing(path: relative)) { try Templates(folder: "No Templates") }
        #expect("\(TemplateError.folderMissing(path: path))".contains(path))
    }

    @Test("the error for an invalid template names its file and line")
    func broken() throws {
        let folder = try Folder(["ok.mustache": "ok", "bad.mustache": "one\ntwo {{#a}}x{{/b}}\n"])
        let error = #expect(throws: TemplateError.self) { try Templates(folder: folder.path) }
        guard case .syntax(let file, let line, _, let text, _) = error else {
            Issue.record("not a syntax error: \(String(describing: error))")
            return
        }
        #expect(file == folder.path + "/bad.mustache")
        #expect(line == 2)
        #expect(text == "two {{#a}}x{{/b}}")

        let start = ContinuousClock.now
        let templates = try Templates(folder: folder.path, reload: true, at: start)
        #expect(throws: try #require(error)) { try templates.render("ok", 0, at: start) }
        try folder.write("bad.mustache", "mended", secondsLater: 1)
        #expect(try templates.render("bad", 0, at: start + Templates.lookInterval) == "mended")
    }

    @Test("the error for a missing partial names the file and the line that include it")
    func missingPartial() throws {
        #expect(throws: TemplateError.partialMissing(file: "page", line: 2, partial: "foot")) {
            try Templates(texts: ["page": "{{> head }}\n{{>foot}}", "head": ""])
        }
    }

    @Test("bytes that are not UTF-8 are an error")
    func notUTF8() throws {
        let folder = try Folder([:])
        try Data([0x61, 0xFF]).write(to: URL(filePath: folder.path + "/a.mustache"))
        #expect(throws: TemplateError.notUTF8(file: folder.path + "/a.mustache")) {
            try Templates(folder: folder.path)
        }
    }

    @Test("with reload, the next check finds changed, added, invalid and removed files")
    func reload() throws {
        let folder = try Folder(["page.mustache": "old {{> part}}", "part.mustache": "1"])
        let start = ContinuousClock.now
        let templates = try Templates(folder: folder.path, reload: true, at: start)
        let still = try Templates(folder: folder.path, reload: false, at: start)
        func look(_ number: Int) -> ContinuousClock.Instant { start + Templates.lookInterval * number }
        let name = "page"
        #expect(try templates.render(name, [:] as [String: String], at: start) == "old 1")

        try folder.write("part.mustache", "2", secondsLater: 1)
        #expect(try templates.render(name, 0, at: start + Templates.lookInterval / 2) == "old 1")
        #expect(try templates.render(name, 0, at: look(1)) == "old 2")
        #expect(try still.render(name, 0, at: look(1)) == "old 1")

        try folder.write("page.mustache", "new {{> part}}{{> more}}", secondsLater: 2)
        #expect(
            throws: TemplateError.partialMissing(
                file: folder.path + "/page.mustache", line: 1, partial: "more")
        ) {
            try templates.render(name, 0, at: look(2))
        }
        try folder.write("more.mustache", "!", secondsLater: 3)
        #expect(try templates.render(name, 0, at: look(3)) == "new 2!")

        try folder.write("more.mustache", "{{#", secondsLater: 4)
        #expect(throws: TemplateError.self) { try templates.render(name, 0, at: look(4)) }
        try folder.write("more.mustache", "?", secondsLater: 5)
        #expect(try templates.render(name, 0, at: look(5)) == "new 2?")

        try folder.write("page.mustache", "alone", secondsLater: 6)
        try folder.remove("more.mustache")
        #expect(try templates.render(name, 0, at: look(6)) == "alone")
        #expect(throws: TemplateError.unknown(name: "more", folder: folder.path)) {
            try templates.render("more", 0, at: look(6))
        }
    }
}
