import Foundation

/// Ends what a scene has started, and removes its folder, when the tests themselves have died: a shell that waits
/// for the end of a pipe which only the tests hold.
final class Guardian: Sendable {
    private let shell: Process
    private let pipe = Pipe()

    /// - Parameter folder: made by the scene, and removed in the end.
    init(folder: URL) throws {
        shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = [
            "-c",
            """
            groups=
            while read -r line; do
              if [ "$line" = done ]; then groups=; else groups="$groups $line"; fi
            done
            for group in $groups; do kill -9 "-$group" 2>/dev/null; done
            rm -rf -- "$0"
            """, folder.path,
        ]
        shell.standardInput = pipe
        try shell.run()
    }

    /// From now on the process, with those it starts itself, does not outlive the tests.
    func watch(_ process: Int32) { tell("\(process)") }

    /// Everything has been ended properly: only the folder is left to remove. Waits until it is.
    func standDown() {
        tell("done")
        try? pipe.fileHandleForWriting.close()
        shell.waitUntilExit()
    }

    private func tell(_ line: String) {
        try? pipe.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
    }
}
