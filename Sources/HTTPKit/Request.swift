public import HTTPTypes
package import Logging
public import NIOCore
import Synchronization

/// A request as handlers see it: a view of its head, its content, and what middleware has put beside them.
///
/// It is cheap to copy; a copy that is changed becomes a request of its own.
public struct Request: Sendable {
    private var storage: Storage

    /// Immutable but through `Request`, which copies it first when it is shared.
    private final class Storage: @unchecked Sendable {
        let head: RequestHead
        let body: RequestBody
        let connection: ConnectionInfo
        /// Which exchange of its connection this is.
        let exchange: UInt64
        /// The pattern of the route that matched, and where in the head its parameters stand.
        var pattern: PathPattern?
        var ranges: ParameterRanges
        var bodyLimit: Int
        var values: [ObjectIdentifier: any Sendable]

        init(
            head: RequestHead, body: RequestBody, connection: ConnectionInfo, exchange: UInt64,
            pattern: PathPattern? = nil, ranges: ParameterRanges = ParameterRanges(), bodyLimit: Int,
            values: [ObjectIdentifier: any Sendable] = [:]
        ) {
            self.head = head
            self.body = body
            self.connection = connection
            self.exchange = exchange
            self.pattern = pattern
            self.ranges = ranges
            self.bodyLimit = bodyLimit
            self.values = values
        }

        func copy() -> Storage {
            Storage(
                head: head, body: body, connection: connection, exchange: exchange, pattern: pattern,
                ranges: ranges, bodyLimit: bodyLimit, values: values)
        }
    }

    package init(
        head: RequestHead, body: RequestBody, connection: ConnectionInfo, bodyLimit: Int, exchange: UInt64 = 0
    ) {
        storage = Storage(
            head: head, body: body, connection: connection, exchange: exchange, bodyLimit: bodyLimit)
    }

    private mutating func mutate(_ change: (Storage) -> Void) {
        if !isKnownUniquelyReferenced(&storage) { storage = storage.copy() }
        change(storage)
    }

    package var head: RequestHead { storage.head }
    package var connection: ConnectionInfo { storage.connection }
    var exchange: UInt64 { storage.exchange }

    /// The method (RFC 9110 §9).
    public var method: HTTPRequest.Method { storage.head.method }

    /// The request target as it was sent (RFC 9112 §3.2).
    public var target: String { storage.head.buffer.string(storage.head.target) }

    /// The path, still percent-encoded; `*` for OPTIONS of the whole server.
    public var path: String {
        let head = storage.head
        switch head.form {
        case .asterisk: return "*"
        case .authority: return ""
        case .origin, .absolute:
            let path = head.buffer.string(head.path)
            return path.isEmpty ? "/" : path
        }
    }

    /// The query behind the first `?`, still percent-encoded.
    public var rawQuery: String? { storage.head.query.map { storage.head.buffer.string($0) } }

    /// The host that the client asked for, and its port unless that is the scheme's own: what a trusted proxy says
    /// (X-Forwarded-Host and -Port, or the host of Forwarded), else the authority of an absolute target, else Host
    /// (RFC 9112 §3.3).
    public var authority: String? {
        guard let forwarded else { return ownAuthority }
        return forwarded.authority(own: ownAuthority, scheme: forwarded.scheme ?? ownScheme)
    }

    private var ownAuthority: String? {
        if case .absolute(let authority, _, _) = storage.head.form {
            return storage.head.buffer.string(authority)
        }
        return storage.head.host.map { storage.head.buffer.string($0) }
    }

    /// The scheme that the client used, `http` or `https`: what a trusted proxy says (RFC 7239 §5.4), else that of the
    /// connection.
    public var scheme: String { forwarded?.scheme ?? ownScheme }

    private var ownScheme: String { storage.connection.isSecure ? "https" : "http" }

    /// The path that trusted proxies have removed from the front of the target (X-Forwarded-Prefix), such as `/app`:
    /// without a slash at its end, and empty if there is none. A link or redirect to a path of this application begins
    /// with it. The redirects of static files do.
    public var pathPrefix: String { forwarded?.prefix ?? "" }

    /// The protocol version: 1.1 or 1.0.
    public var version: String { storage.head.minorVersion == 0 ? "HTTP/1.0" : "HTTP/1.1" }

    /// The fields as received, in order.
    public var fields: RequestFields { RequestFields(head: storage.head) }

    /// The content, as it arrives.
    public var body: RequestBody { RequestBody(storage: storage.body.storage, limit: storage.bodyLimit) }

    /// What the path's placeholders matched.
    public var parameters: PathParameters {
        guard let pattern = storage.pattern else { return PathParameters() }
        return PathParameters(storage.head.buffer, pattern, storage.ranges)
    }

    /// The pattern of the route that matched, for logs; empty where there is none.
    public var pattern: String { storage.pattern?.text ?? "" }

    /// The address of the peer: of the client, or of the proxy in front of the server. With the PROXY protocol it is
    /// the address in the PROXY header.
    public var remoteAddress: SocketAddress? { storage.connection.remoteAddress }

    /// The address of the client: that of the peer or, if the peer is a trusted proxy, the one that the proxy forwards
    /// for (RFC 7239 §5.2), with port 0.
    ///
    /// `nil` means that the client is unknown: the proxy does not say its address, or not in a way that can be believed.
    /// It is never the address of a proxy in front of the client.
    ///
    /// With the PROXY protocol it is the address in the PROXY header, and Forwarded headers count only if that address is
    /// that of a trusted proxy. See `ProxyProtocol`.
    public var clientAddress: SocketAddress? {
        if let forwarded { return forwarded.address }
        return storage.connection.client == .unknown ? nil : remoteAddress
    }

    /// The address that counts for bounds per client; `nil` for a trusted proxy's own.
    package var countedAddress: SocketAddress? {
        let connection = storage.connection
        guard connection.client == .peer, let address = clientAddress, connection.isProxy?(address) != true
        else { return nil }
        return address
    }

    private var forwarded: Forwarded? {
        let connection = storage.connection
        return connection.isProxy.map { Forwarded(fields, connection.forwardedFields, isProxy: $0) }
    }

    /// The event loop of the connection, on which handlers run.
    public var eventLoop: any EventLoop { storage.connection.loop.eventLoop }

    /// The most that `body` gives, in bytes, before it throws `HTTPError.contentTooLarge` (413); by default
    /// `HTTPLimits.maxBodySize`.
    ///
    /// It belongs to this copy of the request. Middleware that sets another one hands its copy on to the handler; the
    /// copies of middleware further out keep theirs.
    public var bodyLimit: Int {
        get { storage.bodyLimit }
        set { mutate { $0.bodyLimit = newValue } }
    }

    /// The same request on a buffer of its own size: for what outlives the request, such as a socket, which would
    /// otherwise keep the whole read buffer.
    package func compacted() -> Request {
        var head = storage.head
        head.buffer = ByteBuffer(readableOctetsOf: head.buffer)
        var copy = Request(
            head: head, body: .empty, connection: storage.connection, bodyLimit: storage.bodyLimit)
        copy.mutate {
            $0.pattern = storage.pattern
            $0.ranges = storage.ranges
            $0.values = storage.values
        }
        return copy
    }

    /// The same request whose body is what `decoder` makes of it, without the fields that describe the encoded body.
    package func decodingBody(by decoder: any ContentDecoder) -> Request {
        guard case .stream(let stream) = storage.body.storage else { return self }
        var head = storage.head
        let fields = fields
        head.slots.removeAll {
            fields.matches($0, "content-encoding") || fields.matches($0, "content-length")
        }
        let decoded = DecodedBody(stream, decoder: decoder, loop: storage.connection.loop)
        var copy = Request(
            head: head, body: RequestBody(storage: .decoded(decoded)), connection: storage.connection,
            bodyLimit: storage.bodyLimit, exchange: storage.exchange)
        copy.mutate {
            $0.pattern = storage.pattern
            $0.ranges = storage.ranges
            $0.values = storage.values
        }
        return copy
    }

    /// Sends an informational answer ahead of the final one (RFC 9110 §15.2), such as 103 (Early Hints, RFC 8297)
    /// with Link fields. It is without effect once the final answer has begun, on HTTP/1.0, which knows none, and for
    /// 100 and 101, which the server sends by itself.
    public func sendInformational(_ status: HTTPResponse.Status, fields: HTTPFields) {
        let (info, exchange) = (storage.connection, storage.exchange)
        guard info.loop.eventLoop.inEventLoop else {
            return info.loop.eventLoop.execute {
                info.connection?.sendInterim(status, fields: fields, exchange: exchange)
            }
        }
        info.connection?.sendInterim(status, fields: fields, exchange: exchange)
    }

    /// Says which route has matched, in place: only for a request that no middleware and no handler has seen yet, as the
    /// connection makes it. To copy it would cost each request an allocation.
    func beginRoute(_ pattern: PathPattern, _ ranges: ParameterRanges) {
        storage.pattern = pattern
        storage.ranges = ranges
    }

    /// Says which route has matched; other copies of the request do not change.
    mutating func setRoute(_ pattern: PathPattern, _ ranges: ParameterRanges) {
        mutate {
            $0.pattern = pattern
            $0.ranges = ranges
        }
    }

    /// Where its route stands in `trie`; the head is not copied for it.
    func place<Value>(in trie: RouteTrie<Value>, _ ranges: inout ParameterRanges) -> Int? {
        trie.place(of: storage.head, method: storage.head.method, &ranges)
    }

    /// A value that middleware puts beside the request for handlers behind it.
    public subscript<Key: RequestKey>(key: Key.Type) -> Key.Value? {
        get { storage.values[ObjectIdentifier(key)] as? Key.Value }
        set { mutate { $0.values[ObjectIdentifier(key)] = newValue } }
    }
}

extension ByteBuffer {
    /// A copy of the readable octets, and of no more.
    fileprivate init(readableOctetsOf other: ByteBuffer) {
        self.init()
        reserveCapacity(other.readableBytes)
        writeImmutableBuffer(other)
    }
}

/// Names a value that travels with a request, and its type.
public protocol RequestKey {
    /// The type of the value.
    associatedtype Value: Sendable
}

/// What all requests of one connection share.
///
/// Invariant: `connection`, `isClosed` and `number` are touched on the event loop only, `notes` are behind a lock,
/// everything else is constant.
package final class ConnectionInfo: @unchecked Sendable {
    package let remoteAddress: SocketAddress?
    /// What the connection itself says about its client.
    let client: ClientKind
    package let isSecure: Bool
    /// Tells trusted proxies; `nil` if the fields of this peer do not count.
    let isProxy: (@Sendable (SocketAddress) -> Bool)?
    /// Which fields of trusted proxies are read.
    let forwardedFields: ForwardedFields
    package let loop: LoopContext
    /// The application that the server serves, for the extensions of the modules above.
    package let owner: (any AnyObject & Sendable)?
    /// The server's logger.
    package let logger: Logger?
    /// The connection, as long as it speaks HTTP.
    var connection: HTTPConnection?
    /// Whether middleware has noted anything about the exchange under way; mostly it has not, and no lock is taken.
    let hasNotes = Atomic(false)
    /// What it has noted; made with the first note of the connection.
    let notes = Mutex<ExchangeNotes?>(nil)
    /// Whether the connection was closed while it spoke HTTP.
    var isClosed = false

    private static let lastNumber = Atomic<UInt64>(0)
    /// A number that no other connection of this process has. It is given when it is asked for first.
    package private(set) lazy var number: UInt64 = {
        loop.eventLoop.assertInEventLoop()
        return Self.lastNumber.wrappingAdd(1, ordering: .relaxed).newValue
    }()

    package init(
        remoteAddress: SocketAddress?, client: ClientKind = .peer, isSecure: Bool = false,
        isProxy: (@Sendable (SocketAddress) -> Bool)? = nil, forwardedFields: ForwardedFields = .xForwarded,
        loop: LoopContext, owner: (any AnyObject & Sendable)? = nil, logger: Logger? = nil
    ) {
        self.logger = logger
        self.remoteAddress = remoteAddress
        self.isSecure = isSecure
        self.client = client
        let isTrusted = client == .peer && remoteAddress.flatMap { isProxy?($0) } == true
        self.isProxy = isTrusted ? isProxy : nil
        self.forwardedFields = forwardedFields
        self.loop = loop
        self.owner = owner
    }
}

/// The fields of a request (RFC 9110 §5), which become text when asked for.
public struct RequestFields: Sendable, Sequence {
    let head: RequestHead

    /// How many field lines there are.
    public var count: Int { head.slots.count }

    /// The value of the field; those of several lines joined by `", "`, of Cookie by `"; "` (RFC 9110 §5.2).
    public subscript(name: HTTPField.Name) -> String? {
        let wanted = name.canonicalName
        let separator = name == .cookie ? "; " : ", "
        var result: String?
        for slot in head.slots where matches(slot, wanted) {
            let value = head.value(slot)
            if result == nil {
                result = value
            } else {
                result?.append(separator)
                result?.append(value)
            }
        }
        return result
    }

    /// The values of all lines of that name, in order.
    public subscript(values name: HTTPField.Name) -> [String] {
        let wanted = name.canonicalName
        return head.slots.compactMap { matches($0, wanted) ? head.value($0) : nil }
    }

    /// Whether a line of that name is there.
    public func contains(_ name: HTTPField.Name) -> Bool {
        let wanted = name.canonicalName
        return head.slots.contains { matches($0, wanted) }
    }

    /// All of them as the field's common currency type.
    public var all: HTTPFields {
        var fields = HTTPFields()
        for (name, value) in self {
            guard let name = HTTPField.Name(name) else { continue }
            fields.append(HTTPField(name: name, value: value))
        }
        return fields
    }

    /// The lines as received: name and value, in order.
    public func makeIterator() -> some IteratorProtocol<(name: String, value: String)> {
        head.slots.lazy.map { (name: head.name($0), value: head.value($0)) }
            .makeIterator()
    }

    /// Names are compared without regard to case (RFC 9110 §5.1); `wanted` is in lower case.
    fileprivate func matches(_ slot: FieldSlot, _ wanted: String) -> Bool {
        let wanted = wanted.utf8
        guard Int(slot.nameLength) == wanted.count else { return false }
        let span = head.buffer.readableBytesUInt8Span
        var index = slot.name(from: head.fieldsStart).lowerBound
        for byte in wanted {
            if span[index].asciiLowercased != byte { return false }
            index += 1
        }
        return true
    }
}
