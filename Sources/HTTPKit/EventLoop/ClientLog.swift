package import Logging
import NIOCore
import Synchronization

/// The log lines that clients can cause as often as they like, such as those about refused requests: at most so many a
/// second, and one line that says how many were left out.
package final class ClientLog: Sendable {
    private let window: Mutex<LogWindow>

    /// A log of at most `rate` lines a second (`HTTPLimits.clientErrorLogRate`).
    package init(rate: Int) { window = Mutex(LogWindow(rate: rate)) }

    /// Logs a line at level info, unless there were too many in this second.
    ///
    /// The count of those left out follows by itself when the second is over.
    ///
    /// - Parameter metadata: made only for a line that is logged; text of the client must be cleaned.
    package func log(
        _ message: Logger.Message, to logger: Logger, on loop: LoopContext, metadata: () -> Logger.Metadata
    ) {
        guard logger.logLevel <= .info else { return }
        switch window.withLock({ $0.next(at: loop.now) }) {
        case .log:
            logger.info(message, metadata: metadata())
        case .leaveOut(let reportIn):
            guard let reportIn else { return }
            loop.eventLoop.scheduleTask(in: .milliseconds(reportIn)) { self.report(to: logger) }
        }
    }

    /// Says how many lines were left out since it was said last.
    package func report(to logger: Logger) {
        let leftOut = window.withLock { $0.takeLeftOut() }
        guard leftOut > 0 else { return }
        logger.info("client errors left out of the log", metadata: ["count": "\(leftOut)"])
    }
}

/// Counts the lines of one second.
struct LogWindow {
    enum Step: Equatable {
        case log
        /// Not logged; for the first of them, in how many milliseconds the count is due.
        case leaveOut(reportIn: Int64?)
    }

    private let rate: Int
    private var end = LoopInstant(milliseconds: .min)
    private var logged = 0
    private var leftOut = 0

    init(rate: Int) { self.rate = rate }

    /// What becomes of a line at `now`.
    mutating func next(at now: LoopInstant) -> Step {
        if now >= end {
            end = now.advanced(byMilliseconds: 1000)
            logged = 0
        }
        if logged < rate {
            logged += 1
            return .log
        }
        leftOut &+= 1
        return .leaveOut(reportIn: leftOut == 1 ? end.milliseconds - now.milliseconds : nil)
    }

    /// How many were left out since the last call.
    mutating func takeLeftOut() -> Int {
        defer { leftOut = 0 }
        return leftOut
    }
}
