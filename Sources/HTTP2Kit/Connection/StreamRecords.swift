/// The streams that this end has reset lately: the client may have sent more on them before it learned of it, which is
/// no error (RFC 9113 §5.1).
struct ResetStreams {
    private var streams: [UInt32] = []
    private var next = 0

    private static let capacity = 128

    mutating func add(_ stream: UInt32) {
        if streams.count < Self.capacity {
            streams.append(stream)
        } else {
            streams[next] = stream
            next = (next + 1) % Self.capacity
        }
    }

    func contains(_ stream: UInt32) -> Bool { streams.contains(stream) }
}

/// The end of a connection (RFC 9113 §6.8).
enum GoingAway {
    /// It is not in sight.
    case no
    /// The client knows that no more streams are wanted, but those on their way are still served. The PING behind the
    /// first GOAWAY comes back when none is on its way any more.
    case announced
    /// No stream above this one is served.
    case final(lastStream: UInt32)

    var hasBegun: Bool {
        if case .no = self { return false }
        return true
    }
}

/// The block of a request whose frames have not all arrived.
struct OpenBlock {
    let stream: UInt32
    let endsStream: Bool
    var bytes: [UInt8]
    var frames = 1
}
