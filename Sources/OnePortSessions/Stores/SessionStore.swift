/// Where sessions are kept when their cookies contain only an identifier: in memory, in a file or in a database.
///
/// Keys are digests of the identifiers in cookies, so that who reads the store cannot take over a session. Requests of one
/// session may run at the same time: `update` must apply its change to the current record, in one step.
public protocol SessionStore: Sendable {
    /// The record of a session; `nil` if there is none.
    func load(_ key: String) async throws -> SessionRecord?
    /// Keeps a new session.
    func insert(_ record: SessionRecord, for key: String) async throws
    /// Changes the record of a session that is there, in one step. A session that was removed meanwhile, because its user
    /// has signed out, must not come back.
    ///
    /// - Returns: whether there was one.
    func update(_ key: String, _ change: @Sendable (inout SessionRecord) -> Void) async throws -> Bool
    /// Removes a session.
    ///
    /// - Returns: its record; `nil` if there is none.
    func remove(_ key: String) async throws -> SessionRecord?
    /// Removes all sessions of a user: after a change of the password, for example.
    func removeAll(of user: String) async throws
}
