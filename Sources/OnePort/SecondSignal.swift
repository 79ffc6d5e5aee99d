import Logging
import UnixSignals

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Ends the program at once on a second signal during shutdown.
enum SecondSignal {
    /// Waits for SIGTERM or SIGINT, and exits with 128 plus the signal's number, as a shell reports a program killed by a
    /// signal. Call it when shutdown begins. The signal that started the shutdown does not count.
    static func endProgram(_ logger: Logger) async {
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
            let number: CInt = signal == .sigint ? SIGINT : SIGTERM
            logger.warning("a second signal ends the program", metadata: ["signal": "\(signal)"])
            // Does not wait for exit handlers or threads.
            _exit(128 + number)
        }
    }
}
