/// Names and values in the order they came: a query, a form, or the cookies of a request. A name may come more
/// than once.
public struct NameValueList: Sendable, Hashable, RandomAccessCollection {
    /// One name with its value, both decoded.
    public struct Item: Sendable, Hashable {
        /// The decoded name.
        public var name: String
        /// The decoded value.
        public var value: String

        /// A name with its value.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    private var items: [Item]

    /// The list of these items.
    public init(_ items: [Item] = []) {
        self.items = items
    }

    /// The first item's index, 0.
    public var startIndex: Int { 0 }
    /// The number of items.
    public var endIndex: Int { items.count }
    /// The item at a position.
    public subscript(position: Int) -> Item { items[position] }

    /// The first value of a name, or `nil`; names are compared exactly.
    public subscript(name: String) -> String? {
        items.first { $0.name == name }?.value
    }

    /// All values of a name, in order.
    public func values(of name: String) -> [String] {
        items.compactMap { $0.name == name ? $0.value : nil }
    }

    package mutating func append(name: String, value: String) {
        items.append(Item(name: name, value: value))
    }
}
