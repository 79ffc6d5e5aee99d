import HTTPTypes

extension ResponseBody {
    /// The same content; where its writer fails before the first byte, the response to that has `fields` too.
    func failing(
        with fields: HTTPFields, of request: Request, unless name: HTTPField.Name? = nil
    ) -> ResponseBody {
        guard case .stream(let length, let write) = storage else { return self }
        return .stream(length: length) { writer in
            do {
                try await write(writer)
            } catch {
                request.addErrorFields(fields, unless: name)
                throw error
            }
        }
    }
}
