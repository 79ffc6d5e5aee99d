import Testing

@testable import OnePort

@Suite("File descriptors")
struct DescriptorLimitTests {
    @Test(
        "the limit leaves descriptors for event loops, files and connections that are being rejected",
        arguments: [
            (16, 2, 4), (256, 2, 184), (1024, 4, 752), (20_000, 8, 19_712), (0, 2, 1),
        ])
    func connections(descriptors: Int, threads: Int, most: Int) {
        #expect(DescriptorLimit.connections(within: descriptors, threads: threads) == most)
    }
}
