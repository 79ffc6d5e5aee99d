public import HTTPTypes
public import NIOCore

/// A request as handlers see it: a view of its head, its content, and what middleware has put beside them.
///
/// It is cheap to copy; a copy that is changed becomes a request of its own.
public struct Request: Sendable {
    /// Not to be copied out of: the head alone is large.
    private(set) var storage: RequestStorage

    init(storage: RequestStorage) { self.storage = storage }

    /// A request without an exchange: nobody waits for its response.
    package init(head: RequestHead, body: RequestBody, connection: ConnectionInfo, bodyLimit: Int) {
        storage = RequestStorage(
            head: head, body: body.storage, connection: connection, bodyLimit: bodyLimit,
            values: connection.policy.values)
    }

    private mutating func mutate(_ change: (RequestStorage) -> Void) {
        if !isKnownUniquelyReferenced(&storage) {
            storage = RequestStorage(
                storage, head: storage.head, body: storage.body, origin: storage.exchange)
        }
        change(storage)
    }

    package var head: RequestHead { storage.head }
    package var connection: ConnectionInfo { storage.connection }
    /// The exchange that the request is of; `nil` where nobody waits for a response.
    var exchange: Exchange? { storage.exchange }

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

    /// What the handshake of an encrypted connection has told of the client, such as its certificate.
    package var securePeer: (any Sendable)? { storage.connection.session?.peer }

    private var ownScheme: String { storage.connection.isSecure ? "https" : "http" }

    /// The path that trusted proxies have removed from the front of the target (X-Forwarded-Prefix), such as `/app`:
    /// without a slash at its end, and empty if there is none. A link or redirect to a path of this application begins
    /// with it. The redirects of static files do.
    public var pathPrefix: String { forwarded?.prefix ?? "" }

    /// The protocol version (RFC 9110 §2.5): `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    public var version: String { storage.head.version.description }

    /// The fields as received, in order.
    public var fields: RequestFields { RequestFields(head: storage.head) }

    /// The content, as it arrives.
    public var body: RequestBody { RequestBody(storage: storage.body, limit: storage.bodyLimit) }

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
        return connection.isProxy.map { Forwarded(fields, connection.policy.forwardedFields, isProxy: $0) }
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
    /// otherwise keep the whole read buffer. It belongs to no exchange any more.
    package func compacted() -> Request {
        var head = storage.head
        head.buffer = ByteBuffer(readableBytesOf: head.buffer)
        return Request(storage: RequestStorage(storage, head: head, body: .empty, origin: nil))
    }

    /// The same request whose body is what `decoder` makes of it, without the fields that describe the encoded body.
    package func decodingBody(by decoder: any ContentDecoder) -> Request {
        guard case .stream(let stream) = storage.body else { return self }
        var head = storage.head
        let fields = fields
        head.slots.removeAll {
            fields.matches($0, "content-encoding") || fields.matches($0, "content-length")
        }
        let decoded = DecodedBody(stream, decoder: decoder, loop: storage.connection.loop)
        return Request(
            storage: RequestStorage(
                storage, head: head, body: .decoded(decoded), origin: storage.exchange))
    }

    /// Sends an informational response ahead of the final one (RFC 9110 §15.2), such as 103 (Early Hints, RFC 8297)
    /// with Link fields. It is without effect once the final response has begun, on HTTP/1.0, which knows none, and for
    /// 100 and 101, which the server sends by itself.
    public func sendInformational(_ status: HTTPResponse.Status, fields: HTTPFields) {
        exchange?.sendInterim(status, fields: fields)
    }

    /// Says which route has matched; other copies of the request do not change.
    mutating func setRoute(_ pattern: PathPattern, _ ranges: ParameterRanges) {
        mutate {
            $0.pattern = pattern
            $0.ranges = ranges
        }
    }

    /// A value that middleware puts beside the request for handlers behind it.
    public subscript<Key: RequestKey>(key: Key.Type) -> Key.Value? {
        get { storage.values[key] }
        set { mutate { $0.values[key] = newValue } }
    }
}

extension ByteBuffer {
    /// A copy of the readable bytes, and of no more.
    fileprivate init(readableBytesOf other: ByteBuffer) {
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
