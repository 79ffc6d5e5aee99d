import HTTPKit
import Logging
import OnePort
import Testing

@Suite("Settings")
struct AppConfigurationTests {
    private static let extra = [
        Setting("static", .text("a folder"), help: "the folder of /static"),
        Setting(
            "database", .text("a file"), environment: ["CHAT_DB"], default: "chat.sqlite", help: "the history"
        ),
        Setting("rooms", .integer(1...10), default: "3", help: "how many rooms"),
        Setting("verbose", .toggle, help: "say more"),
        Setting("tags", .list("words"), default: "a, b", help: "tags"),
    ]

    private func parse(
        _ arguments: [String], _ environment: [String: String] = [:], defaults: [String: String] = [:]
    ) throws(ConfigurationError) -> AppConfiguration {
        try AppConfiguration.parse(
            arguments: ["/usr/bin/chat"] + arguments, environment: environment, extra: Self.extra,
            defaults: defaults)
    }

    @Test("without flags and variables, the settings have their defaults")
    func defaults() throws {
        let parsed = try parse([])
        let plain = AppConfiguration()
        #expect(parsed.host == "127.0.0.1" && parsed.port == 8080)
        #expect(parsed.threads == plain.threads && parsed.threads >= 1)
        #expect(parsed.limits == HTTPLimits())
        #expect(parsed.drain == plain.drain)
        #expect(parsed.environment == .ofBuild)
        #expect(parsed.developmentPage == (parsed.environment == .development))
        #expect(parsed.logLevel == .info)
        #expect(parsed.trustedProxies.isEmpty)
        #expect(parsed["static"] == nil && !parsed.isSet("static"))
        #expect(parsed["database"] == "chat.sqlite")
        #expect(parsed.integer("rooms") == 3)
        #expect(!parsed.isOn("verbose"))
        #expect(parsed.list("tags") == ["a", "b"])
    }

    @Test("flags override variables, variables override defaults, and an empty variable is unset")
    func precedence() throws {
        #expect(try parse(["--port", "1"], ["ONEPORT_PORT": "2", "PORT": "3"]).port == 1)
        #expect(try parse([], ["ONEPORT_PORT": "2", "PORT": "3"]).port == 2)
        #expect(try parse([], ["PORT": "3"]).port == 3)
        #expect(try parse([], ["ONEPORT_PORT": "", "PORT": "3"]).port == 3)
        #expect(try parse([], ["PORT": ""], defaults: ["port": "4"]).port == 4)
        #expect(try parse([], ["CHAT_DB": "x"])["database"] == "x")
        #expect(try parse([], ["ONEPORT_STATIC": "y"])["static"] == "y")
    }

    @Test("every built-in setting sets its property")
    func builtIn() throws {
        let parsed = try parse([
            "--host=::1", "--port=0", "--threads", "3", "--root", "/srv/app", "--environment", "production",
            "--development-page", "--log-level=debug", "--drain", "0.5", "--max-body", "3MiB",
            "--max-connections",
            "7", "--header-timeout", "1", "--idle-timeout=2.5", "--body-timeout", "3", "--trusted-proxies",
            "10.0.0.0/8, ::1",
        ])
        #expect(parsed.host == "::1" && parsed.port == 0 && parsed.threads == 3 && parsed.root == "/srv/app")
        #expect(parsed.environment == .production && parsed.developmentPage && parsed.logLevel == .debug)
        #expect(parsed.drain == .milliseconds(500))
        #expect(parsed.limits.maxBodySize == 3 << 20 && parsed.limits.maxConnections == 7)
        #expect(parsed.limits.headTimeout == .seconds(1) && parsed.limits.idleTimeout == .milliseconds(2500))
        #expect(parsed.limits.bodyTimeout == .seconds(3))
        #expect(parsed.trustedProxies.map(\.description) == ["10.0.0.0/8", "::1"])
        #expect(parsed.path(of: "Public") == "/srv/app/Public")
        #expect(parsed.path(of: "/abs") == "/abs")
        #expect(
            try parse(["--environment=development", "--development-page=false"]).developmentPage == false)
    }

    @Test("the PROXY protocol is a choice of the start")
    func proxyProtocol() throws {
        #expect(try parse([]).proxyProtocol == .off && AppConfiguration().proxyProtocol == .off)
        #expect(try parse(["--proxy-protocol", "off"]).proxyProtocol == .off)
        let parsed = try parse(["--proxy-protocol=required", "--trusted-proxies=10.0.0.0/8"])
        #expect(parsed.proxyProtocol == .required)
        #expect(try parse([], ["ONEPORT_PROXY_PROTOCOL": "required"]).proxyProtocol == .required)
        #expect(throws: ConfigurationError.self) { try parse(["--proxy-protocol", "optional"]) }
    }

    @Test("the limits for slow clients are settings")
    func rates() throws {
        let defaults = try parse([]).limits
        #expect(defaults == HTTPLimits() && defaults.idleTimeout == .seconds(75))
        let limits = try parse([
            "--min-body-rate", "1KiB", "--body-rate-grace=30", "--write-timeout", "40",
            "--min-response-rate=0", "--response-rate-grace", "7.5", "--linger-timeout=1",
            "--max-linger-time", "9",
            "--max-connections-per-address", "12",
        ]).limits
        #expect(limits.maxConnectionsPerAddress == 12)
        #expect(limits.minBodyRate == 1024 && limits.bodyRateGracePeriod == .seconds(30))
        #expect(limits.writeTimeout == .seconds(40) && limits.minResponseRate == 0)
        #expect(limits.responseRateGracePeriod == .milliseconds(7500))
        #expect(limits.lingerTimeout == .seconds(1) && limits.maxLingerTime == .seconds(9))
    }

    @Test(
        "sizes in bytes",
        arguments: [("0", 0), ("65536", 65_536), ("64KiB", 65_536), ("16 MiB", 16 << 20), ("1GiB", 1 << 30)])
    func bytes(text: String, size: Int) throws {
        #expect(try parse(["--max-body", text]).limits.maxBodySize == size)
    }

    static let mistakes: [([String], [String: String], ConfigurationError)] = [
        (["--prot", "1"], [:], .unknownFlag("prot", nearest: "port")),
        (["--max-bdy=1"], [:], .unknownFlag("max-bdy", nearest: "max-body")),
        (["--databse", "x"], [:], .unknownFlag("databse", nearest: "database")),
        (["--colour"], [:], .unknownFlag("colour", nearest: nil)),
        (["--=1"], [:], .unknownFlag("", nearest: nil)),
        (["--port", "1", "--port=1"], [:], .repeatedFlag("port")),
        (["--verbose", "--verbose"], [:], .repeatedFlag("verbose")),
        (["--static"], [:], .missingValue(flag: "static", expected: "a folder")),
        (["--static", "--verbose"], [:], .missingValue(flag: "static", expected: "a folder")),
        (["join"], [:], .unexpectedArgument("join")),
        (["--verbose", "true"], [:], .unexpectedArgument("true")),
        (["-p"], [:], .unexpectedArgument("-p")),
        (["--"], [:], .unexpectedArgument("--")),
        (
            ["--port", "eighty"], [:],
            .invalidValue(
                setting: "port", source: .flag("port"), value: "eighty",
                expected: "a whole number from 0 to 65535")
        ),
        (
            [], ["PORT": "65536"],
            .invalidValue(
                setting: "port", source: .environment("PORT"), value: "65536",
                expected: "a whole number from 0 to 65535")
        ),
        (
            ["--drain", "-1"], [:],
            .invalidValue(
                setting: "drain", source: .flag("drain"), value: "-1", expected: "seconds from 0.0 to 3600.0")
        ),
        (
            ["--drain", "nan"], [:],
            .invalidValue(
                setting: "drain", source: .flag("drain"), value: "nan", expected: "seconds from 0.0 to 3600.0"
            )
        ),
        (
            ["--max-body", "99999999999GiB"], [:],
            .invalidValue(
                setting: "max-body", source: .flag("max-body"), value: "99999999999GiB",
                expected: "a size in bytes such as 65536, 64KiB or 2MiB of at least 0")
        ),
        (
            ["--verbose=maybe"], [:],
            .invalidValue(
                setting: "verbose", source: .flag("verbose"), value: "maybe", expected: "true or false")
        ),
        (
            [], ["ONEPORT_ENVIRONMENT": "prod"],
            .invalidValue(
                setting: "environment", source: .environment("ONEPORT_ENVIRONMENT"), value: "prod",
                expected: "development or production")
        ),
        (
            ["--static="], [:],
            .invalidValue(setting: "static", source: .flag("static"), value: "", expected: "a folder")
        ),
        (
            ["--trusted-proxies", "10.0.0.0/33"], [:],
            .invalidValue(
                setting: "trusted-proxies", source: .flag("trusted-proxies"), value: "10.0.0.0/33",
                expected: "IP addresses or ranges such as 10.0.0.0/8, separated by commas")
        ),
        (
            ["--hosts", "example.com,https://example.com"], [:],
            .invalidValue(
                setting: "hosts", source: .flag("hosts"), value: "example.com,https://example.com",
                expected: "hosts such as example.com, *.example.com or localhost:8080, separated by commas")
        ),
        (
            [], ["ONEPORT_FORWARDED_FIELDS": "both"],
            .invalidValue(
                setting: "forwarded-fields", source: .environment("ONEPORT_FORWARDED_FIELDS"), value: "both",
                expected: "forwarded or x-forwarded")
        ),
    ]

    @Test("HOST, which shells set to other things, is not read; PORT, which platforms set, is")
    func shellVariables() throws {
        let parsed = try parse([], ["HOST": "build-7.example", "PORT": "81"])
        #expect(parsed.host == "127.0.0.1" && parsed.port == 81)
        #expect(try parse([], ["HOST": "x", "ONEPORT_HOST": "::1"]).host == "::1")
    }

    @Test("RFC 3986 §3.2.2: an IPv6 address is in brackets before a port, and may be given in brackets")
    func ipv6() throws {
        #expect(try parse(["--host", "[::1]"]).host == "::1")
        #expect(try parse(["--host", "::1"]).host == "::1")
        #expect(BindAddress.authority("::1", 80) == "[::1]:80")
        #expect(BindAddress.authority("localhost", 80) == "localhost:80")
    }

    @Test("an error names the setting, its source, its value and the expected value", arguments: mistakes)
    func mistake(arguments: [String], environment: [String: String], expected: ConfigurationError) {
        #expect(throws: expected) { () throws(ConfigurationError) in try parse(arguments, environment) }
    }

    @Test("the texts of errors")
    func texts() {
        #expect("\(ConfigurationError.unknownFlag("prot", nearest: "port"))".contains("did you mean --port?"))
        let bad = ConfigurationError.invalidValue(
            setting: "port", source: .environment("PORT"), value: "x", expected: "a number")
        #expect(
            "\(bad)"
                == "invalid value \"x\" for the setting port, from the environment variable PORT; expected: a number"
        )
    }

    @Test("a setting that is declared twice, and a default for an unknown setting, are errors")
    func declarations() {
        #expect(throws: ConfigurationError.declaration("the setting port is declared twice")) {
            try AppConfiguration.parse(
                arguments: [], environment: [:], extra: [Setting("port", .toggle, help: "")])
        }
        #expect(throws: ConfigurationError.declaration("a default is given for the unknown setting potr")) {
            try AppConfiguration.parse(arguments: [], environment: [:], defaults: ["potr": "1"])
        }
    }

    @Test("--help at any position lists every setting with its variable and its default")
    func help() throws {
        let error = #expect(throws: ConfigurationError.self) {
            try parse(["--port", "1", "--help", "--nonsense"], defaults: ["max-body": "16MiB"])
        }
        guard case .helpRequested(let text) = error else {
            Issue.record("--help was not seen: \(String(describing: error))")
            return
        }
        for expected in [
            "usage: chat", "--port <number>", "ONEPORT_PORT, PORT", "default 8080", "--static <folder>",
            "CHAT_DB",
            "default chat.sqlite", "default 16MiB", "--environment development|production", "--verbose",
            "--help",
            "ONEPORT_MAX_CONNECTIONS", "<seconds>",
        ] {
            #expect(text.contains(expected), "\(expected)")
        }
        #expect(!text.contains("default 2MiB"))
    }
}

@Suite("Address ranges")
struct AddressRangeTests {
    @Test(
        "an address is in a range if it has the same prefix",
        arguments: [
            ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false), ("10.0.0.0/8", "::ffff:10.2.3.4", true),
            ("192.0.2.128/25", "192.0.2.200", true), ("192.0.2.128/25", "192.0.2.100", false),
            ("0.0.0.0/0", "1.2.3.4", true), ("0.0.0.0/0", "::1", false), ("::/0", "1.2.3.4", true),
            ("fd00::/8", "fd12::1", true), ("fd00::/8", "fe80::1", false), ("::1", "::1", true),
            ("fe80::/10", "fe80::1%eth0", true), ("10.9.9.9/8", "10.0.0.1", true), ("::1", "nonsense", false),
        ])
    func contains(range: String, address: String, expected: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(address) == expected)
    }

    @Test(
        "invalid ranges",
        arguments: [
            "", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "host", "10.0.0.0/8/8", "10.0.0.0/-1",
            "1.2.3.4/+8",
        ])
    func invalid(text: String) {
        #expect(AddressRange(text) == nil)
    }
}
