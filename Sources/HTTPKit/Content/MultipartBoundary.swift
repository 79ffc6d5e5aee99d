/// The boundary of a multipart body (RFC 2046 §5.1.1): 1 to 70 bchars, the last of them no space.
public struct MultipartBoundary: Sendable, Hashable {
    /// The boundary without the dashes before it.
    public let value: String

    /// Reads the `boundary` parameter of a `multipart/form-data` Content-Type.
    ///
    /// - Parameter contentType: The field's value, or `nil` when the request has none.
    /// - Throws: `MultipartError.boundary` for another media type, and for a boundary that is missing, given twice
    ///   or invalid.
    public init(contentType: String?) throws(MultipartError) {
        let field = contentType ?? ""
        guard let type = MediaType(parsing: field), type.essence == "multipart/form-data" else {
            throw .boundary(field)
        }
        let values = type.parameters.filter { $0.name == "boundary" }
        guard values.count == 1, let boundary = values.first?.value, MultipartBoundary.isValid(boundary)
        else {
            throw .boundary(field)
        }
        value = boundary
    }

    /// A boundary by its value.
    ///
    /// - Throws: `MultipartError.boundary` when it is not 1 to 70 bchars without a space at the end.
    public init(_ value: String) throws(MultipartError) {
        guard MultipartBoundary.isValid(value) else { throw .boundary(value) }
        self.value = value
    }

    private static let characters = ByteSet(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'()+_,-./:=? ")

    private static func isValid(_ value: String) -> Bool {
        1...70 ~= value.utf8.count && value.utf8.last != 0x20 && value.utf8.allSatisfy(characters.contains)
    }
}
