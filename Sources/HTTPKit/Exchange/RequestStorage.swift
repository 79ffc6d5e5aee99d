import NIOCore

/// What a request refers to. The exchange of a request is its storage, so that a request costs no object of its own; a
/// copy that was changed has another one.
///
/// Invariant: the route is set before anybody else has the request. Everything else is constant once it is shared, which
/// `Request` sees to: it changes what it alone refers to.
package class RequestStorage: @unchecked Sendable {
    package final let head: RequestHead
    final let body: RequestBody.Storage
    package final let connection: ConnectionInfo
    /// The pattern of the route that matched, and where in the head its parameters stand.
    final var pattern: PathPattern?
    final var ranges: ParameterRanges
    final var bodyLimit: Int
    final var values: RequestValues

    /// The exchange that a changed copy belongs to.
    private final let origin: Exchange?

    /// The exchange that this is, or belongs to.
    var exchange: Exchange? { origin }

    init(
        head: consuming RequestHead, body: RequestBody.Storage, connection: ConnectionInfo, bodyLimit: Int,
        values: RequestValues
    ) {
        self.head = head
        self.body = body
        self.connection = connection
        pattern = nil
        ranges = ParameterRanges()
        self.bodyLimit = bodyLimit
        self.values = values
        origin = nil
    }

    /// Says which route has matched, in place: only for a request that no middleware and no handler has seen yet, as its
    /// carrier makes it. To copy it would cost each request an allocation.
    final func beginRoute(_ pattern: PathPattern, _ ranges: consuming ParameterRanges) {
        self.pattern = pattern
        self.ranges = ranges
    }

    /// A copy, with another head and body.
    ///
    /// - Parameter origin: the exchange that the copy belongs to.
    init(_ other: RequestStorage, head: RequestHead, body: RequestBody.Storage, origin: Exchange?) {
        self.head = head
        self.body = body
        self.origin = origin
        connection = other.connection
        pattern = other.pattern
        ranges = other.ranges
        bodyLimit = other.bodyLimit
        values = other.values
    }
}
