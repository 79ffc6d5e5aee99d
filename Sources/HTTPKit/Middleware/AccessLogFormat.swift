import HTTPTypes
import NIOCore

/// How the lines of an access log look.
public enum AccessLogFormat: Sendable, CaseIterable {
    /// The Common Log Format: `192.0.2.1 - - [27/Nov/2026:18:46:00 +0000] "GET /a HTTP/1.1" 200 5`.
    case common
    /// The same, followed by Referer and User-Agent in quotes.
    case combined
    /// One JSON object on each line, with `time`, `address`, `method`, `path`, `route`, `version`, `status`, `bytes`, `ms`,
    /// `id`, `referer` and `userAgent`; what is not known is left out. `end` is `aborted` if the connection ended before the
    /// response was complete.
    case json
}

/// One request with its response, as it stands in an access log.
struct AccessLogEntry {
    var time: HTTPDate
    var address: String?
    var method: String
    /// The path, and the query if it is logged.
    var target: String
    var route: String
    var version: String
    var status: Int
    var bytes: Int
    var milliseconds: Int64
    var id: String?
    var referer: String?
    var userAgent: String?
    var isComplete: Bool

    /// The line in a format, without its end.
    func line(_ format: AccessLogFormat) -> String {
        switch format {
        case .common: common
        case .combined: "\(common) \(Self.quoted(referer ?? "-")) \(Self.quoted(userAgent ?? "-"))"
        case .json: json
        }
    }

    private var common: String {
        let (day, clock) = calendar
        let stamp =
            "\(Self.digits(day.day))/\(Self.months[day.month - 1])/\(Self.digits(day.year, 4)):\(clock)"
        let request = Self.quoted("\(method) \(target) \(version)")
        return "\(address ?? "-") - - [\(stamp) +0000] \(request) \(status) \(bytes == 0 ? "-" : "\(bytes)")"
    }

    /// The day, and `hh:mm:ss`.
    private var calendar: (day: CivilDate, clock: String) {
        let (days, second) = CivilDate.daysAndSeconds(time.secondsSinceEpoch)
        let parts = [second / 3600, second / 60 % 60, second % 60].map { Self.digits($0) }
        return (CivilDate(daysSinceEpoch: days), parts.joined(separator: ":"))
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// A number with zeros in front.
    private static func digits(_ number: Int, _ count: Int = 2, radix: Int = 10) -> String {
        let text = String(number, radix: radix)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }

    /// A text in quotes. What could end the quotes or the line, and what is not ASCII, is escaped as Apache does.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for byte in text.utf8 {
            switch byte {
            case 0x22: result += "\\\""
            case 0x5C: result += "\\\\"
            case 0x20..<0x7F: result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "\\x" + digits(Int(byte), radix: 16)
            }
        }
        return result + "\""
    }

    private var json: String {
        let (day, clock) = calendar
        let date = "\(Self.digits(day.year, 4))-\(Self.digits(day.month))-\(Self.digits(day.day))"
        var members = [Self.member("time", "\(date)T\(clock)Z")]
        func add(_ name: String, _ value: String?) {
            if let value { members.append(Self.member(name, value)) }
        }
        add("address", address)
        add("method", method)
        add("path", target)
        add("route", route.isEmpty ? nil : route)
        add("version", version)
        members += ["\"status\":\(status)", "\"bytes\":\(bytes)", "\"ms\":\(milliseconds)"]
        add("id", id)
        add("referer", referer)
        add("userAgent", userAgent)
        add("end", isComplete ? nil : "aborted")
        return "{" + members.joined(separator: ",") + "}"
    }

    private static func member(_ name: String, _ value: String) -> String {
        var text = "\"\(name)\":\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            // Control characters, and the line ends of Unicode.
            case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value),
                "\u{2028}", "\u{2029}":
                text += "\\u" + digits(Int(scalar.value), 4, radix: 16)
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}

extension Middleware {
    /// Writes a line for each request, in a format that other programs read. `accessLog` logs through the logger instead.
    ///
    /// The line is written when the response has been handed over to its end, or its connection has ended before. The
    /// query is left out unless `includesQuery` is set, since it may hold secrets.
    ///
    /// - Parameters:
    ///   - sampling: The share of requests with a status below 400 that are written, from 0 to 1. All others are.
    ///   - includesQuery: Whether the query is written.
    ///   - write: Takes a line, on the event loop: it must not block. By default, lines go to standard output by way of
    ///     `AccessLogOutput`.
    public static func accessLog(
        _ format: AccessLogFormat, sampling: Double = 1, includesQuery: Bool = false,
        to write: @escaping @Sendable (String) -> Void = { AccessLogOutput.standard.write($0) }
    ) -> Middleware {
        Middleware { request, next in
            let start = LoopInstant.now
            defer {
                request.onEnd { end in
                    if end.status < 400, end.status > 0, sampling < 1, Double.random(in: 0..<1) >= sampling {
                        return
                    }
                    let entry = AccessLogEntry(
                        time: .now, address: request.clientAddress?.ipAddress,
                        method: request.method.rawValue,
                        target: request.path + (includesQuery ? request.rawQuery.map { "?" + $0 } ?? "" : ""),
                        route: request.pattern, version: request.version, status: end.status,
                        bytes: end.bytes,
                        milliseconds: LoopInstant.now.milliseconds - start.milliseconds,
                        id: request.id ?? end.id,
                        referer: request.fields[.referer], userAgent: request.fields[.userAgent],
                        isComplete: end.isComplete)
                    write(entry.line(format))
                }
            }
            return try await next(request)
        }
    }
}
