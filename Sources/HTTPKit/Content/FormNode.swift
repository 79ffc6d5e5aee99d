/// The values of a query, a form or a path as a tree: `user[name]=x` is the field `name` of `user`, `tags[]=x` one more item
/// of `tags`, `items[0][name]=x` the field `name` of its first item.
///
/// A name whose brackets are not in this form is a name like any other. The tree is as large as the list, and as deep as
/// `maxDepth`.
final class FormNode {
    /// How many names one value may be below; over it 400.
    static let maxDepth = 8

    private(set) var values: [String] = []
    private(set) var names: [String] = []
    private(set) var children: [String: FormNode] = [:]

    var isEmpty: Bool { values.isEmpty && children.isEmpty }

    /// - Throws: `FormError.tooDeep`.
    static func tree(of list: NameValueList) throws(FormError) -> FormNode {
        let root = FormNode()
        for item in list {
            var node = root
            var depth = 0
            for name in path(item.name) {
                depth += 1
                guard depth <= maxDepth else { throw .tooDeep(limit: maxDepth) }
                node = node.child(name)
            }
            node.values.append(item.value)
        }
        return root
    }

    /// The items as a list: those of numbered fields in the order of the numbers, else the values.
    var items: [FormNode] {
        var numbered: [(Int, FormNode)] = []
        for (name, child) in children {
            guard let number = Int(name), number >= 0 else { continue }
            numbered.append((number, child))
        }
        if !numbered.isEmpty { return numbered.sorted { $0.0 < $1.0 }.map(\.1) }
        return values.map { value in
            let node = FormNode()
            node.values = [value]
            return node
        }
    }

    private func child(_ name: String) -> FormNode {
        if let child = children[name] { return child }
        let made = FormNode()
        children[name] = made
        names.append(name)
        return made
    }

    /// `a[b][c]` as `a`, `b`, `c`; brackets without a name at the end say that the value is one of several.
    static func path(_ name: String) -> [String] {
        let bytes = name.utf8
        guard bytes.last == UInt8(ascii: "]"), let open = bytes.firstIndex(of: UInt8(ascii: "[")),
            open > bytes.startIndex
        else { return [name] }
        var path = [String(name[..<open])]
        var rest = bytes[open...]
        while let first = rest.first {
            guard first == UInt8(ascii: "["), let close = rest.firstIndex(of: UInt8(ascii: "]")) else {
                return [name]
            }
            let part = rest[rest.index(after: rest.startIndex)..<close]
            rest = rest[rest.index(after: close)...]
            if part.isEmpty {
                guard rest.isEmpty else { return [name] }
            } else {
                // The next level is refused by its depth; nothing longer is needed.
                if path.count <= maxDepth { path.append(String(Substring(part))) }
            }
        }
        return path
    }
}
