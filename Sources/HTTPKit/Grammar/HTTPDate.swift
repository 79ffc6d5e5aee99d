public import NIOCore

/// A date of HTTP: whole seconds, written as IMF-fixdate, read in the three formats of RFC 9110 §5.6.7.
public struct HTTPDate: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Seconds since 1970-01-01 00:00:00 UTC, without leap seconds.
    public var secondsSinceEpoch: Int64

    /// Length in octets of every IMF-fixdate.
    package static let length = 29

    /// The date that many seconds after the epoch.
    public init(secondsSinceEpoch: Int64) {
        self.secondsSinceEpoch = secondsSinceEpoch
    }

    /// Earlier dates come first.
    public static func < (left: HTTPDate, right: HTTPDate) -> Bool {
        left.secondsSinceEpoch < right.secondsSinceEpoch
    }

    /// IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`.
    public var description: String {
        let bytes = imfFixdate
        return String(unsafeUninitializedCapacity: HTTPDate.length) { target in
            for index in 0..<HTTPDate.length { target[index] = bytes[index] }
            return HTTPDate.length
        }
    }

    /// Appends IMF-fixdate, 29 octets.
    public func write(into buffer: inout ByteBuffer) {
        let bytes = imfFixdate
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: HTTPDate.length) { target in
            for index in 0..<HTTPDate.length { target[index] = bytes[index] }
            return HTTPDate.length
        }
    }

    /// The 29 octets of IMF-fixdate. The format has four digits for the year, so a date outside the years 1 to
    /// 9999 is written as the nearest one inside.
    package var imfFixdate: InlineArray<29, UInt8> {
        let clamped = min(max(secondsSinceEpoch, -62_135_596_800), 253_402_300_799)
        let (days, second) = CivilDate.daysAndSeconds(clamped)
        let date = CivilDate(daysSinceEpoch: days)
        var text = InlineArray<29, UInt8>(repeating: 0x20)
        func put(_ name: StaticString, at offset: Int, from start: Int) {
            name.withUTF8Buffer { letters in
                for index in 0..<3 { text[offset + index] = letters[start + index] }
            }
        }
        func put(_ value: Int, at offset: Int) {
            text[offset] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value / 10 % 10)
            text[offset + 1] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value % 10)
        }
        put("ThuFriSatSunMonTueWed", at: 0, from: ((days % 7 + 7) % 7) * 3)
        text[3] = UInt8(ascii: ",")
        put(date.day, at: 5)
        put("JanFebMarAprMayJunJulAugSepOctNovDec", at: 8, from: (date.month - 1) * 3)
        put(date.year / 100, at: 12)
        put(date.year % 100, at: 14)
        put(second / 3600, at: 17)
        text[19] = UInt8(ascii: ":")
        put(second / 60 % 60, at: 20)
        text[22] = UInt8(ascii: ":")
        put(second % 60, at: 23)
        put("GMT", at: 26, from: 0)
        return text
    }
}

extension HTTPDate {
    /// Reads IMF-fixdate, the RFC 850 form or asctime's; `nil` for anything else (RFC 9110 §5.6.7).
    ///
    /// - Parameters:
    ///   - text: The field value, without white space around it.
    ///   - now: The time that a two-digit year is read against: one that seems to be more than 50 years ahead
    ///     is the most recent year in the past with the same digits.
    public init?(parsing text: String, now: HTTPDate) {
        var reader = DateReader(Array(text.utf8))
        guard let seconds = reader.read(now: now) else { return nil }
        self.init(secondsSinceEpoch: seconds)
    }
}

/// A day of the proleptic Gregorian calendar.
struct CivilDate {
    var year: Int
    var month: Int
    var day: Int

    /// Whole days since the epoch, and the seconds into that day.
    static func daysAndSeconds(_ seconds: Int64) -> (days: Int, second: Int) {
        let second = Int(seconds % 86_400)
        let days = Int(seconds / 86_400)
        return second < 0 ? (days - 1, second + 86_400) : (days, second)
    }

    init(year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// Counted in years that begin on the first of March, so that the leap day is a year's last; an era is the
    /// calendar's whole cycle of 400 years, 146,097 days.
    init(daysSinceEpoch: Int) {
        let shifted = daysSinceEpoch + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    var daysSinceEpoch: Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// Whether the month has that day.
    var isValid: Bool {
        guard 1...12 ~= month, day >= 1 else { return false }
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return day <= (month == 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31)
    }
}

/// Reads the three date formats, octet by octet; every step is `nil` where the text departs from the format.
private struct DateReader {
    private let bytes: [UInt8]
    private var index = 0

    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let dayEndings = ["day", "day", "sday", "nesday", "rsday", "day", "urday"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func read(now: HTTPDate) -> Int64? {
        guard let weekday = name(of: DateReader.days) else { return nil }
        let parts: (date: CivilDate, second: Int)?
        if skip(", ") {
            parts = imfFixdate()
        } else if skip(" ") {
            parts = asctime()
        } else if skip(DateReader.dayEndings[weekday]), skip(", ") {
            parts = rfc850(now: now)
        } else {
            parts = nil
        }
        guard let (date, second) = parts, index == bytes.count, date.isValid else { return nil }
        return Int64(date.daysSinceEpoch) * 86_400 + Int64(second)
    }

    private mutating func imfFixdate() -> (CivilDate, Int)? {
        guard let day = number(2), skip(" "), let month = name(of: DateReader.months), skip(" "),
            let year = number(4), skip(" "), let second = time(), skip(" GMT")
        else { return nil }
        return (CivilDate(year: year, month: month + 1, day: day), second)
    }

    private mutating func asctime() -> (CivilDate, Int)? {
        guard let month = name(of: DateReader.months), skip(" "), let day = skip(" ") ? number(1) : number(2),
            skip(" "), let second = time(), skip(" "), let year = number(4)
        else { return nil }
        return (CivilDate(year: year, month: month + 1, day: day), second)
    }

    private mutating func rfc850(now: HTTPDate) -> (CivilDate, Int)? {
        guard let day = number(2), skip("-"), let month = name(of: DateReader.months), skip("-"),
            let shortYear = number(2), skip(" "), let second = time(), skip(" GMT")
        else { return nil }
        let today = CivilDate(daysSinceEpoch: CivilDate.daysAndSeconds(now.secondsSinceEpoch).days)
        var date = CivilDate(year: today.year / 100 * 100 + shortYear, month: month + 1, day: day)
        let limit = CivilDate(year: today.year + 50, month: today.month, day: today.day)
        if (date.year, date.month, date.day) > (limit.year, limit.month, limit.day) {
            date.year -= 100
        } else if date.year + 100 <= today.year + 50 {
            // Near a century's end the same digits may lie ahead within the 50 years.
            let ahead = CivilDate(year: date.year + 100, month: date.month, day: date.day)
            if (ahead.year, ahead.month, ahead.day) <= (limit.year, limit.month, limit.day) { date = ahead }
        }
        return (date, second)
    }

    /// The second of the day; 60 is a leap second.
    private mutating func time() -> Int? {
        guard let hour = number(2), hour < 24, skip(":"), let minute = number(2), minute < 60, skip(":"),
            let second = number(2), second <= 60
        else { return nil }
        return hour * 3600 + minute * 60 + second
    }

    private mutating func skip(_ text: String) -> Bool {
        let wanted = text.utf8
        guard bytes[index...].starts(with: wanted) else { return false }
        index += wanted.count
        return true
    }

    private mutating func name(of names: [String]) -> Int? {
        for (position, name) in names.enumerated() where skip(name) { return position }
        return nil
    }

    private mutating func number(_ digits: Int) -> Int? {
        guard index + digits <= bytes.count else { return nil }
        var value = 0
        for byte in bytes[index..<index + digits] {
            guard byte.isDigit else { return nil }
            value = value * 10 + Int(byte &- 0x30)
        }
        index += digits
        return value
    }
}

/// `Date: ` with a date and the line's end (RFC 9110 §6.6.1), as it goes on the wire.
package struct DateLine: Sendable {
    package let octets: InlineArray<37, UInt8>

    package init(secondsSinceEpoch: Int64) {
        let date = HTTPDate(secondsSinceEpoch: secondsSinceEpoch).imfFixdate
        var line = InlineArray<37, UInt8>(repeating: 0x0D)
        for (index, byte) in "Date: ".utf8.enumerated() { line[index] = byte }
        for index in 0..<HTTPDate.length { line[6 + index] = date[index] }
        line[36] = 0x0A
        octets = line
    }

    /// How many bytes the date itself has.
    package static let valueLength = HTTPDate.length

    /// The date without the field's name.
    package func withValue(_ body: (UnsafeRawBufferPointer) -> Void) {
        octets.span.withUnsafeBytes { bytes in
            body(UnsafeRawBufferPointer(rebasing: bytes[6..<6 + Self.valueLength]))
        }
    }
}

extension DateLine: Equatable {
    package static func == (left: DateLine, right: DateLine) -> Bool {
        // The seconds differ most often.
        var index = left.octets.count - 1
        while index >= 0 {
            if left.octets[index] != right.octets[index] { return false }
            index &-= 1
        }
        return true
    }
}
