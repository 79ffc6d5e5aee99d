// swift-tools-version: 6.2

import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")

let package = Package(
    name: "OnePort",
    platforms: [.macOS(.v26)],
    products: [
        .library(name: "HTTPKit", targets: ["HTTPKit"]),
        .library(name: "HTTP2Kit", targets: ["HTTP2Kit"]),
        .library(name: "WSKit", targets: ["WSKit"]),
        .library(name: "OnePort", targets: ["OnePort"]),
        .library(name: "OnePortTesting", targets: ["OnePortTesting"]),
        .library(name: "OnePortSessions", targets: ["OnePortSessions"]),
        .library(name: "OnePortTLS", targets: ["OnePortTLS"]),
        .library(name: "OnePortMetrics", targets: ["OnePortMetrics"]),
        .executable(name: "Chat", targets: ["Chat"]),
        .executable(name: "ChatTLS", targets: ["ChatTLS"]),
        .executable(name: "TestServer", targets: ["TestServer"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "Compression", dependencies: ["CZlib", nioCore], swiftSettings: settings),
        .target(
            name: "HTTPKit", dependencies: [nioCore, nioPosix, httpTypes, logging, deque],
            swiftSettings: settings),
        .target(
            name: "HTTP2Kit", dependencies: ["HTTPKit", nioCore, httpTypes, logging, deque],
            swiftSettings: settings),
        .target(
            name: "WSKit",
            dependencies: ["Compression", "HTTPKit", nioCore, nioPosix, httpTypes, logging, deque],
            swiftSettings: settings),
        .target(
            name: "OnePort",
            dependencies: [
                "Compression", "HTTPKit", "HTTP2Kit", "WSKit", nioCore, nioPosix, httpTypes, logging,
                coreMetrics,
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Mustache", package: "swift-mustache"),
            ], swiftSettings: settings),
        .target(
            name: "OnePortTesting",
            dependencies: ["OnePort", "HTTPKit", "WSKit", nioCore, nioPosix, httpTypes],
            swiftSettings: settings),
        .target(
            name: "OnePortSessions",
            dependencies: [
                "HTTPKit", "WSKit", nioCore, httpTypes, deque,
                .product(name: "Crypto", package: "swift-crypto"),
            ], swiftSettings: settings),
        .target(
            name: "OnePortMetrics", dependencies: ["OnePort", "HTTPKit", httpTypes, coreMetrics],
            swiftSettings: settings),
        .target(
            name: "OnePortTLS",
            dependencies: [
                "OnePort", "HTTPKit", "WSKit", nioCore, nioPosix, nioSSL, nioTLS, logging,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ], swiftSettings: settings),
        .target(
            name: "ChatApp",
            dependencies: [
                "OnePort", "HTTPKit", "WSKit", nioCore, nioPosix, httpTypes, logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ], swiftSettings: settings),
        .executableTarget(name: "Chat", dependencies: ["ChatApp"], swiftSettings: settings),
        .executableTarget(
            name: "ChatTLS", dependencies: ["ChatApp", "OnePort", "OnePortTLS"], swiftSettings: settings),
        .executableTarget(
            name: "TestServer",
            dependencies: [
                "OnePort", "OnePortTLS", "HTTPKit", "WSKit", nioCore, nioPosix, httpTypes, logging,
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "AutobahnClient", dependencies: ["WSKit", nioCore], path: "Conformance/AutobahnClient",
            swiftSettings: settings),
        .executableTarget(
            name: "FirstProgram", dependencies: ["OnePort"], path: "Examples/FirstProgram",
            swiftSettings: settings),
        .executableTarget(
            name: "SignIn", dependencies: ["OnePort", "OnePortSessions"], path: "Examples/SignIn",
            swiftSettings: settings),
        .executableTarget(
            name: "Operations", dependencies: ["OnePort", "OnePortMetrics", logging],
            path: "Examples/Operations",
            swiftSettings: settings),
        .executableTarget(
            name: "HTTPKitOnly", dependencies: ["HTTPKit", httpTypes], path: "Examples/HTTPKitOnly",
            swiftSettings: settings),
        .executableTarget(
            name: "HTTPAndSockets", dependencies: ["HTTPKit", "WSKit"], path: "Examples/HTTPAndSockets",
            swiftSettings: settings),
        .executableTarget(
            name: "MicroBench",
            dependencies: ["OnePort", "HTTPKit", "WSKit", "Compression", nioCore, nioEmbedded, httpTypes],
            path: "Benchmarks/Micro", swiftSettings: settings),
        .testTarget(
            name: "CompressionTests", dependencies: ["Compression", nioCore],
            swiftSettings: settings),
        .testTarget(
            name: "HTTPKitTests",
            dependencies: ["HTTPKit", nioCore, nioPosix, nioEmbedded, httpTypes, logging],
            swiftSettings: settings),
        .testTarget(
            name: "HTTP2KitTests",
            dependencies: [
                "HTTP2Kit", "HTTPKit", "WSKit", nioCore, nioPosix, nioEmbedded, httpTypes, logging,
            ], swiftSettings: settings),
        .testTarget(
            name: "WSKitTests",
            dependencies: [
                "WSKit", "Compression", "HTTPKit", "HTTPKitOnly", "HTTPAndSockets", nioCore, nioPosix,
                nioEmbedded, httpTypes, logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "OnePortTests",
            dependencies: [
                "OnePort", "OnePortTesting", "Compression", "HTTPKit", "WSKit", nioCore, nioPosix, httpTypes,
                logging, .product(name: "Mustache", package: "swift-mustache"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ], swiftSettings: settings),
        .testTarget(
            name: "OnePortMetricsTests",
            dependencies: [
                "OnePortMetrics", "Operations", "OnePort", "OnePortTesting", "HTTPKit", "WSKit", httpTypes,
                nioCore,
                coreMetrics,
            ], swiftSettings: settings),
        .testTarget(
            name: "OnePortTLSTests",
            dependencies: [
                "OnePortTLS", "OnePort", "HTTPKit", "WSKit", nioCore, nioPosix, nioSSL, logging, httpTypes,
            ], exclude: ["Fixtures"], swiftSettings: settings),
        .testTarget(
            name: "OnePortSessionsTests",
            dependencies: [
                "OnePortSessions", "SignIn", "OnePort", "OnePortTesting", "HTTPKit", "WSKit", nioCore,
                httpTypes,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ChatTests",
            dependencies: [
                "Chat", "ChatApp", "OnePort", "OnePortTesting", "OnePortTLS", "HTTPKit", "WSKit", nioCore,
                nioPosix, httpTypes,
            ],
            swiftSettings: settings),
    ]
)
