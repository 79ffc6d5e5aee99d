import Foundation

/// Kills the processes of a test and removes its folder if the test process dies. It is a shell that waits for the end
/// of a pipe, which only the test process keeps open.
final class Guardian: Sendable {
    private let shell: Process
    private let pipe = Pipe()

    /// - Parameter folder: the folder of the test, removed at the end.
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

    /// Adds a process group to kill if the test process dies.
    func watch(_ process: Int32) { tell("\(process)") }

    /// Removes only the folder, after all processes have ended, and waits until it is removed.
    func standDown() {
        tell("done")
        try? pipe.fileHandleForWriting.close()
        shell.waitUntilExit()
    }

    private func tell(_ line: String) {
        try? pipe.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
    }
}
