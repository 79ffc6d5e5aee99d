public import HTTPTypes
import Synchronization

/// How an exchange ended.
package struct ExchangeEnd: Sendable {
    /// The status that was sent; 0 when the client was gone before there was a response.
    package var status: Int
    /// How many bytes of the response's body were handed to the transport.
    package var bytes: Int
    /// Whether the response was handed over to its end; `false` when the connection ended before.
    package var isComplete: Bool
    /// The id of the request, where it has been given one.
    package var id: String?
}

/// What middleware has noted about the exchange that is under way on a connection: its id, header fields for an error
/// response, and who is told of its end.
///
/// A request is copied when middleware changes it, so what is found out further in does not reach the copies further
/// out. Notes are those of the exchange, whichever copy they were made on. They may be made on any thread: a lock guards
/// them.
final class ExchangeNotes {
    fileprivate var exchange: UInt64 = 0
    fileprivate var id: String?
    fileprivate var fields: [ErrorFields] = []
    fileprivate var observers: [@Sendable (ExchangeEnd) -> Void] = []

    fileprivate func reset(for exchange: UInt64) {
        self.exchange = exchange
        id = nil
        fields = []
        observers = []
    }
}

extension ConnectionInfo {
    func setID(_ id: String, exchange: UInt64) { note(exchange) { $0.id = id } }

    func id(of exchange: UInt64) -> String? { read(exchange) { $0.id } ?? nil }

    func add(_ fields: ErrorFields, exchange: UInt64) { note(exchange) { $0.fields.append(fields) } }

    func observe(exchange: UInt64, _ observer: @escaping @Sendable (ExchangeEnd) -> Void) {
        note(exchange) { $0.observers.append(observer) }
    }

    /// The response with the noted fields that it does not set itself.
    func complete(_ response: Response, exchange: UInt64) -> Response {
        guard response.upgrade == nil, let noted = read(exchange, { $0.fields }), !noted.isEmpty else {
            return response
        }
        var response = response
        for fields in noted { fields.add(to: &response.fields) }
        return response
    }

    /// Tells the observers, once, and forgets everything about the exchange.
    func end(_ exchange: UInt64, _ end: ExchangeEnd) {
        guard hasNotes.load(ordering: .relaxed) else { return }
        let (observers, id) = notes.withLock { notes -> ([@Sendable (ExchangeEnd) -> Void], String?) in
            guard let notes, notes.exchange <= exchange else { return ([], nil) }
            defer { notes.reset(for: exchange) }
            hasNotes.store(false, ordering: .relaxed)
            guard notes.exchange == exchange else { return ([], nil) }
            return (notes.observers, notes.id)
        }
        var end = end
        end.id = id
        for observer in observers { observer(end) }
    }

    private func note(_ exchange: UInt64, _ change: (ExchangeNotes) -> Void) {
        notes.withLock { current in
            let notes = current ?? ExchangeNotes()
            current = notes
            // A task that an earlier request has left behind has nothing to say about this one.
            guard exchange >= notes.exchange else { return }
            if exchange > notes.exchange { notes.reset(for: exchange) }
            change(notes)
            hasNotes.store(true, ordering: .relaxed)
        }
    }

    private func read<Value: Sendable>(_ exchange: UInt64, _ value: (ExchangeNotes) -> Value) -> Value? {
        guard hasNotes.load(ordering: .relaxed) else { return nil }
        return notes.withLock { notes in
            guard let notes, notes.exchange == exchange else { return nil }
            return value(notes)
        }
    }
}

/// Header fields that middleware wants to have on the response to an error.
struct ErrorFields: Sendable {
    let fields: HTTPFields
    /// A response that has this field keeps its own, and gets none of these but Vary.
    let unless: HTTPField.Name?

    /// Adds those that are not there. Each part of Vary counts.
    func add(to other: inout HTTPFields) {
        if let vary = fields[.vary] { other.addVary(vary) }
        if let unless, other[unless] != nil { return }
        let missing = fields.filter { other[$0.name] == nil }
        for field in missing { other.append(field) }
    }
}

extension Request {
    /// Has the response to this request carry `fields` if it turns out to be an error response: those that it does not
    /// set itself. Parts of Vary are added to what is there.
    ///
    /// For middleware that adds header fields: an error passes through it as it was thrown, so that middleware further
    /// out can still tell what it is.
    ///
    /// ```swift
    /// let versioned = Middleware { request, next in
    ///     do {
    ///         var response = try await next(request)
    ///         response.fields[.server] = "shop/7"
    ///         return response
    ///     } catch {
    ///         request.addErrorFields([.server: "shop/7"])
    ///         throw error
    ///     }
    /// }
    /// ```
    public func addErrorFields(_ fields: HTTPFields) { addErrorFields(fields, unless: nil) }

    func addErrorFields(_ fields: HTTPFields, unless name: HTTPField.Name?) {
        connection.add(ErrorFields(fields: fields, unless: name), exchange: exchange)
    }

    /// Calls `observer` once, on the event loop, when the response has been handed to the transport or the connection has
    /// ended before.
    package func onEnd(_ observer: @escaping @Sendable (ExchangeEnd) -> Void) {
        connection.observe(exchange: exchange, observer)
    }
}
