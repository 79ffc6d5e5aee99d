import Dispatch

/// The lines somebody types, read one at a time off the cooperative pool: the next is read when it is asked for,
/// so a long file piped in waits in its pipe and not in memory.
struct StandardInput: Sendable {
    private let queue = DispatchQueue(label: "standard input")

    /// The next line without its end; nil at the end of the input.
    func next() async -> String? {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: readLine(strippingNewline: true)) }
        }
    }
}
