// swift-tools-version: 6.2

import PackageDescription

// The peers the bench compares OnePort with. A package of its own, so that nobody who depends on
// OnePort ever resolves a competitor; OnePort itself is built from the root package (`TestServer`).

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")

let package = Package(
    name: "Benchmarks",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
    ],
    targets: [
        .target(
            name: "PeerSupport", dependencies: [nioCore, nioPosix], path: "Peers/PeerSupport",
            swiftSettings: settings),
        .executableTarget(
            name: "RawNIO", dependencies: ["PeerSupport", nioCore, nioPosix], path: "Peers/RawNIO",
            swiftSettings: settings),
        .executableTarget(
            name: "NIOStock",
            dependencies: [
                "PeerSupport", nioCore, nioPosix,
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ], path: "Peers/NIOStock", swiftSettings: settings),
        .executableTarget(
            name: "HummingbirdPeer",
            dependencies: [
                "PeerSupport", nioCore, nioPosix,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdHTTP2", package: "hummingbird"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ], path: "Peers/HummingbirdPeer", swiftSettings: settings),
        .executableTarget(
            name: "FlyingFoxPeer",
            dependencies: ["PeerSupport", .product(name: "FlyingFox", package: "FlyingFox")],
            path: "Peers/FlyingFoxPeer", swiftSettings: settings),
    ]
)
