import Dispatch

/// The lines of standard input, read outside the cooperative pool. A line is read only on demand, so a long file that
/// is piped in stays in the pipe and not in memory.
struct StandardInput: Sendable {
    private let queue = DispatchQueue(label: "standard input")

    /// The next line without its line end, or `nil` at the end of the input.
    func next() async -> String? {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: readLine(strippingNewline: true)) }
        }
    }
}
