import Logging
import UnixSignals

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Ends the program at once when it is asked to end while it drains.
enum SecondSignal {
    /// Waits for SIGTERM or SIGINT, and ends the program with 128 and the signal's number, as a shell reports a program
    /// that a signal has ended. To be called when the drain begins: the signal that began it does not count.
    static func endProgram(_ logger: Logger) async {
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
            let number: CInt = signal == .sigint ? SIGINT : SIGTERM
            logger.warning("a second signal ends the program", metadata: ["signal": "\(signal)"])
            // Nothing is waited for: no handler at exit, no thread.
            _exit(128 + number)
        }
    }
}
