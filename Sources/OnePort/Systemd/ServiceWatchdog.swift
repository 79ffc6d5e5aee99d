import HTTPKit
import NIOCore
import Synchronization

/// Tells systemd that the service is alive, as long as all of its event loops respond. If one is blocked for the whole
/// interval, systemd gets no word and restarts the service (`WatchdogSec=`).
final class ServiceWatchdog: Sendable {
    private let loops: [any EventLoop]
    /// How many loops have responded to the last question.
    private let responses: Atomic<Int>
    private let send: @Sendable () -> Void

    init(loops: [any EventLoop], send: @escaping @Sendable () -> Void) {
        self.loops = loops
        responses = Atomic(loops.count)
        self.send = send
    }

    /// Tells it if all loops have responded since the last call, and asks them again.
    func check() {
        guard responses.load(ordering: .relaxed) == loops.count else { return }
        send()
        responses.store(0, ordering: .relaxed)
        for loop in loops { loop.execute { self.responses.wrappingAdd(1, ordering: .relaxed) } }
    }

    /// Checks twice within each interval, until the task is cancelled.
    func run(interval: Duration) async {
        while (try? await Task.sleep(for: interval / 2)) != nil { check() }
    }
}
