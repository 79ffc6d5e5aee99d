import HTTPKit
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import OnePort

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("Sockets that systemd passes")
struct SystemdSocketsTests {
    private func listeners(_ environment: [String: String]) -> [String] {
        SystemdSockets.listeners(environment, processID: 7).map(\.description)
    }

    @Test("are those of LISTEN_FDS, for this process only")
    func sockets() {
        #expect(listeners(["LISTEN_PID": "7", "LISTEN_FDS": "2"]) == ["fd:3", "fd:4"])
        #expect(listeners(["LISTEN_PID": "8", "LISTEN_FDS": "2"]).isEmpty)
        #expect(listeners(["LISTEN_FDS": "2"]).isEmpty)
        for count in ["0", "-1", "x", "", "1025", "99999999999999999999"] {
            #expect(listeners(["LISTEN_PID": "7", "LISTEN_FDS": count]).isEmpty, "\(count)")
        }
    }

    @Test("speak TLS if their name says so")
    func names() {
        let named = { listeners(["LISTEN_PID": "7", "LISTEN_FDS": "4", "LISTEN_FDNAMES": $0]) }
        #expect(named("http:tls:https:tls-v6") == ["fd:3", "tls:fd:4", "tls:fd:5", "tls:fd:6"])
        #expect(named("::tls") == ["fd:3", "fd:4", "tls:fd:5", "fd:6"])
        #expect(named("tlsx:unknown") == ["fd:3", "fd:4", "fd:5", "fd:6"])
    }

    @Test("replace host and port, stand beside those that are set, and follow a certificate")
    func configuration() throws {
        func listeners(_ count: Int, _ arguments: String...) throws -> [String] {
            try AppConfiguration.parse(
                arguments: ["app"] + arguments,
                environment: ["LISTEN_PID": "\(getpid())", "LISTEN_FDS": "\(count)"]
            ).listeners.map(\.description)
        }
        #expect(try listeners(1) == ["fd:3"])
        #expect(try listeners(2, "--port=81") == ["127.0.0.1:81", "fd:3", "fd:4"])
        #expect(try listeners(1, "--listen=unix:/x") == ["unix:/x", "fd:3"])
        #expect(try listeners(1, "--tls-certificate=a.pem") == ["tls:fd:3"])
        #expect(try listeners(2, "--tls-certificate=a.pem") == ["fd:3", "fd:4"])
    }
}

@Suite("What systemd is told")
struct ServiceNotifierTests {
    /// A socket that receives datagrams, as systemd has one.
    private final class Receiver {
        let descriptor: CInt

        init(_ path: String) throws {
            #if canImport(Glibc)
                descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue), 0)
            #else
                descriptor = socket(AF_UNIX, SOCK_DGRAM, 0)
            #endif
            let address = try SocketAddress(unixDomainSocketPath: path)
            let result = address.withSockAddr { bind(descriptor, $0, socklen_t($1)) }
            try #require(result == 0)
        }

        deinit { close(descriptor) }

        func received() -> String? {
            var bytes = [UInt8](repeating: 0, count: 200)
            let count = recv(descriptor, &bytes, bytes.count, CInt(MSG_DONTWAIT))
            return count < 0 ? nil : String(decoding: bytes.prefix(count), as: UTF8.self)
        }
    }

    @Test("arrives as one datagram each")
    func datagrams() throws {
        let path = "/tmp/oneport-notify-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let receiver = try Receiver(path)
        defer { unlink(path) }
        let notifier = try #require(ServiceNotifier(["NOTIFY_SOCKET": path], processID: 1))
        for state in [ServiceNotifier.State.ready, .stopping, .alive] {
            notifier.send(state)
            #expect(receiver.received() == state.rawValue)
        }
        #expect(receiver.received() == nil)
    }

    @Test("a receiver that is gone, and one whose queue is full, do no harm")
    func noReceiver() throws {
        let gone = try #require(ServiceNotifier(["NOTIFY_SOCKET": "/tmp/no/such/socket"], processID: 1))
        gone.send(.ready)
        let path = "/tmp/oneport-full-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let receiver = try Receiver(path)
        defer { unlink(path) }
        let notifier = try #require(ServiceNotifier(["NOTIFY_SOCKET": path], processID: 1))
        for _ in 0..<2000 { notifier.send(.alive) }
        #expect(receiver.received() == "WATCHDOG=1")
    }

    @Test("nobody listens without a valid NOTIFY_SOCKET")
    func invalid() {
        for name in ["", "relative", "vsock:2:1", "/" + String(repeating: "x", count: 200)] {
            #expect(ServiceNotifier(["NOTIFY_SOCKET": name], processID: 1) == nil, "\(name)")
        }
        #expect(ServiceNotifier([:], processID: 1) == nil)
        #expect(ServiceNotifier(["NOTIFY_SOCKET": "@abstract"], processID: 1) != nil)
    }

    @Test("the watchdog's interval is that of this process")
    func interval() {
        func interval(_ variables: [String: String]) -> Duration? {
            ServiceNotifier(
                variables.merging(["NOTIFY_SOCKET": "/x"]) { one, _ in one }, processID: 5)?.watchdogInterval
        }
        #expect(interval([:]) == nil)
        #expect(interval(["WATCHDOG_USEC": "3000000"]) == .seconds(3))
        #expect(interval(["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "5"]) == .seconds(3))
        #expect(interval(["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "6"]) == nil)
        for wrong in ["0", "-5", "x", "99999999999999999999"] {
            #expect(interval(["WATCHDOG_USEC": wrong]) == nil)
        }
    }

    @Test("it is told that the service is alive only while every loop responds")
    func watchdog() {
        let (one, other) = (EmbeddedEventLoop(), EmbeddedEventLoop())
        let told = Counter()
        let watchdog = ServiceWatchdog(loops: [one, other]) { told.value.wrappingAdd(1, ordering: .relaxed) }
        func count(afterCheck: Bool = true) -> Int {
            watchdog.check()
            return told.value.load(ordering: .relaxed)
        }
        #expect(count() == 1)
        one.run()
        #expect(count() == 1)
        other.run()
        #expect(count() == 2)
        #expect(count() == 2)
        one.run()
        other.run()
        #expect(count() == 3)
    }

    private final class Counter: Sendable {
        let value = Atomic<Int>(0)
    }
}
