import Testing

@testable import OnePort

@Suite("Descriptors")
struct DescriptorLimitTests {
    @Test(
        "connections leave room for the loops, for files and for refusals under way",
        arguments: [
            (16, 2, 4), (256, 2, 184), (1024, 4, 752), (20_000, 8, 19_712), (0, 2, 1),
        ])
    func connections(descriptors: Int, threads: Int, most: Int) {
        #expect(DescriptorLimit.connections(within: descriptors, threads: threads) == most)
    }
}
