import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("The README")
struct ReadmeTests {
    /// The root of the package, derived from the path of this file.
    private static var root: String {
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    }

    private static func read(_ path: String) throws -> String {
        let file = try #require(fopen(root + "/" + path, "r"), "\(path) cannot be opened")
        defer { fclose(file) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            guard count > 0 else { break }
            text += buffer[..<count]
        }
        return String(decoding: text, as: UTF8.self)
    }

    @Test("contains the first program as it is compiled, in at most 20 lines")
    func firstProgram() throws {
        let program = try Self.read("Examples/FirstProgram/Hello.swift")
        let readme = try Self.read("README.md")
        #expect(readme.contains("```swift\n" + program + "```"))
        #expect(program.split(separator: "\n", omittingEmptySubsequences: false).count <= 21)
    }

    @Test(
        "names only files that exist",
        arguments: ["docs/chat.png", "docs/benchmarks.md", "CHANGELOG.md", "LICENSE"])
    func places(path: String) throws {
        #expect(try Self.read("README.md").contains(path))
        #expect(try !Self.read(path).isEmpty)
    }
}
