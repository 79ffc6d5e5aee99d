import Dispatch
import Testing

@testable import HTTPKit

@Suite("Work that blocks")
struct OffloadTests {
    @Test("as much as there are threads runs at once, whatever the machine has of cores")
    func atOnce() async throws {
        let all = DispatchGroup()
        // Other tests may hold all threads of the tasks for long.
        let patience = DispatchTime.now() + .seconds(600)
        let count = OffloadPool.threads
        for _ in 0..<count { all.enter() }
        let met = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<count {
                group.addTask {
                    try await offload {
                        all.leave()
                        return all.wait(timeout: patience) == .success
                    }
                }
            }
            return try await group.reduce(into: 0) { met, one in met += one ? 1 : 0 }
        }
        #expect(met == count)
    }

    @Test("what it throws is thrown")
    func throwing() async {
        struct Failure: Error {}
        await #expect(throws: Failure.self) { try await offload { throw Failure() } }
    }
}
