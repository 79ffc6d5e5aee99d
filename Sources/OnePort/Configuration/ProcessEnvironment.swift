import FoundationEssentials

/// The environment variables of this process.
package enum ProcessEnvironment {
    /// The current values of all variables.
    package static var current: [String: String] { ProcessInfo.processInfo.environment }
}
