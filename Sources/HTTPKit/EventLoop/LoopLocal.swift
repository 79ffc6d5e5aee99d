import NIOCore

/// What is kept once for each event loop, such as codecs that all its connections share. It is made when it is first
/// asked for, and touched on the loop only.
///
/// ```swift
/// private static let codecs = LoopLocal { _ in Codecs() }
/// let codecs = Self.codecs[loop]
/// ```
package final class LoopLocal<Value: AnyObject>: Sendable {
    private let make: @Sendable (LoopContext) -> Value

    package init(_ make: @escaping @Sendable (LoopContext) -> Value) { self.make = make }

    /// The value of `loop`.
    package subscript(loop: LoopContext) -> Value {
        loop.eventLoop.assertInEventLoop()
        let key = ObjectIdentifier(self)
        if let known = loop.locals[key] as? Value { return known }
        let made = make(loop)
        loop.locals[key] = made
        return made
    }
}
