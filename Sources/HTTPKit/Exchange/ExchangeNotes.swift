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

/// What middleware has noted about an exchange: its id, header fields for an error response, and who is told of its end.
///
/// A request is copied when middleware changes it, so what is found out further in does not reach the copies further
/// out. Notes are those of the exchange, whichever copy they were made on. They may be made on any thread: a lock guards
/// them.
final class ExchangeNotes {
    fileprivate var id: String?
    fileprivate var fields: [ErrorFields] = []
    fileprivate var observers: [@Sendable (ExchangeEnd) -> Void] = []
}

extension Exchange {
    func setID(_ id: String) { note { $0.id = id } }

    var notedID: String? { read { $0.id } ?? nil }

    func add(_ fields: ErrorFields) { note { $0.fields.append(fields) } }

    func observe(_ observer: @escaping @Sendable (ExchangeEnd) -> Void) {
        note { $0.observers.append(observer) }
    }

    /// The response with the noted fields that it does not set itself.
    func complete(_ response: Response) -> Response {
        guard response.upgrade == nil, let noted = read({ $0.fields }), !noted.isEmpty else {
            return response
        }
        var response = response
        for fields in noted { fields.add(to: &response.fields) }
        return response
    }

    /// Tells the observers, each once.
    @inline(never)
    func tellObservers(_ end: ExchangeEnd) {
        let (observers, id) = notes.withLock { notes -> ([@Sendable (ExchangeEnd) -> Void], String?) in
            guard let notes else { return ([], nil) }
            defer { notes.observers = [] }
            return (notes.observers, notes.id)
        }
        var end = end
        end.id = id
        for observer in observers { observer(end) }
    }

    private func note(_ change: (ExchangeNotes) -> Void) {
        notes.withLock { current in
            let notes = current ?? ExchangeNotes()
            current = notes
            change(notes)
            hasNotes.store(true, ordering: .relaxed)
        }
    }

    private func read<Value: Sendable>(_ value: (ExchangeNotes) -> Value) -> Value? {
        guard hasNotes.load(ordering: .relaxed) else { return nil }
        return notes.withLock { notes in
            guard let notes else { return nil }
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
        exchange?.add(ErrorFields(fields: fields, unless: name))
    }

    /// Calls `observer` once, on the event loop, when the response has been handed to the transport or the connection has
    /// ended before.
    package func onEnd(_ observer: @escaping @Sendable (ExchangeEnd) -> Void) {
        exchange?.observe(observer)
    }
}
