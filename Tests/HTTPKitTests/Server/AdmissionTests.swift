import Logging
import Testing

@testable import HTTPKit

@Suite("How many connections may be open")
struct AdmissionTests {
    private func context(maxConnections: Int) -> ServerContext {
        var limits = HTTPLimits()
        limits.maxConnections = maxConnections
        return ServerContext(
            limits: limits, logger: NotedLog().logger, responder: .function { _ in Response() })
    }

    @Test("Who is refused takes no place, however long it takes to say so")
    func refused() async {
        let context = context(maxConnections: 2)
        #expect(context.connectionOpened() && context.connectionOpened())
        for _ in 0..<5 { #expect(!context.connectionOpened()) }
        #expect(context.openConnections == 7)
        context.connectionClosed(wasAdmitted: true)
        #expect(context.connectionOpened())
        #expect(!context.connectionOpened())
        // The refused ones go, and leave no places either.
        for _ in 0..<6 { context.connectionClosed(wasAdmitted: false) }
        #expect(!context.connectionOpened())
        context.connectionClosed(wasAdmitted: false)
        context.connectionClosed(wasAdmitted: true)
        #expect(context.connectionOpened())
        for _ in 0..<2 { context.connectionClosed(wasAdmitted: true) }
        await context.allClosed()
        #expect(context.openConnections == 0)
    }
}
