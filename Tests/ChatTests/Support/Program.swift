import Foundation
import Synchronization

/// A program that a test has started: its output, its input and its exit status.
final class Program: Sendable {
    /// The name, for error messages.
    let name: String
    /// The process id. The process leads its own group.
    var id: Int32 { process.processIdentifier }
    private let process: Process
    private let input: Pipe
    private let lines: AsyncStream<String>
    private let ending: AsyncStream<Never>
    private let transcript = Mutex<[String]>([])

    /// Starts the program. Its standard output and standard error are read line by line while it runs.
    init(_ executable: URL, _ arguments: [String], environment: [String: String] = [:]) throws {
        // Writing to a program that has ended must not end the tests.
        signal(SIGPIPE, SIG_IGN)
        name = ([executable.lastPathComponent] + arguments.prefix(3)).joined(separator: " ")
        process = Process()
        input = Pipe()
        let line: AsyncStream<String>.Continuation
        (lines, line) = AsyncStream.makeStream(of: String.self)
        let end: AsyncStream<Never>.Continuation
        (ending, end) = AsyncStream.makeStream(of: Never.self)
        let output = Pipe()
        process.executableURL = executable
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, ours in ours }
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        process.terminationHandler = { _ in
            end.finish()
        }
        try process.run()
        let handle = output.fileHandleForReading
        Thread.detachNewThread { [self] in
            read(handle) { text in
                transcript.withLock { $0.append(text) }
                line.yield(text)
            }
            line.finish()
        }
    }

    private func read(_ handle: FileHandle, _ take: (String) -> Void) {
        var rest = Data()
        while true {
            guard let data = next(from: handle.fileDescriptor) else { break }
            rest.append(data)
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                take(String(decoding: rest[rest.startIndex..<end], as: UTF8.self))
                rest = Data(rest[rest.index(after: end)...])
            }
        }
        if !rest.isEmpty { take(String(decoding: rest, as: UTF8.self)) }
    }

    /// Everything that was printed.
    var printed: [String] { transcript.withLock { $0 } }

    /// The next line that contains `text`. Lines before it are skipped.
    func line(with text: String) async throws -> String {
        try await within("\(name): a line with “\(text)”") { [self] in
            for await line in lines where line.contains(text) { return line }
            throw ProgramEnded(name: name, wanted: text, printed: printed)
        }
    }

    /// Waits until all output has been read.
    func outputEnded() async {
        for await _ in lines {}
    }

    /// Types a line.
    func type(_ line: String) throws {
        try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
    }

    /// Ends the input.
    func endInput() throws {
        try input.fileHandleForWriting.close()
    }

    /// Waits until the program ends.
    ///
    /// - Returns: the exit status.
    @discardableResult
    func ended() async throws -> Int32 {
        try await within("\(name): its end") { [self] in
            for await _ in ending {}
            guard !process.isRunning else { throw CancellationError() }
            return process.terminationStatus
        }
    }

    /// Sends SIGTERM, and SIGKILL if the program does not end. Then kills the processes that it has started.
    func stop() async {
        if process.isRunning { kill(id, SIGTERM) }
        if (try? await within("the end", limit: .seconds(20), { [self] in try await ended() })) == nil {
            kill(id, SIGKILL)
            _ = try? await ended()
        }
        // Its children are in its process group. Those of a browser outlive it for a moment, and if nothing reaps
        // orphans, they stay as zombies.
        for _ in 0..<200 where kill(-id, SIGKILL) == 0 { try? await Task.sleep(for: .milliseconds(10)) }
    }
}

/// Reads the next data, or `nil` at the end. (`FileHandle.availableData` crashes if a signal interrupts it.)
private func next(from descriptor: Int32) -> Data? {
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        return count > 0 ? Data(chunk.prefix(count)) : nil
    }
}

/// A program ended before it printed the expected line.
struct ProgramEnded: Error, CustomStringConvertible {
    let name: String
    let wanted: String
    let printed: [String]

    var description: String {
        "\(name) ended without a line with “\(wanted)”; it printed:\n" + printed.joined(separator: "\n")
    }
}
