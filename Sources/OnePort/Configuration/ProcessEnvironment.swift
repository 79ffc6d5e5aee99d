import FoundationEssentials

/// The environment variables of this process.
package enum ProcessEnvironment {
    /// All of them, as they are now.
    package static var current: [String: String] { ProcessInfo.processInfo.environment }
}
