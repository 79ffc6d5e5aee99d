import HTTPTypes

extension Middleware {
    /// Gives each request an id: that of `X-Request-Id` where a trusted proxy sends one that is plain (at most 128 visible
    /// characters), a random one otherwise. It is sent back in the same field, on errors too, and is there as `Request.id`,
    /// for middleware further out as well.
    ///
    /// What other clients send is not believed: they could have their requests logged under the id of another's.
    public static var requestID: Middleware {
        Middleware { request, next in
            var request = request
            let isFromProxy = request.connection.isProxy != nil
            let id =
                (isFromProxy ? request.fields[.xRequestID].flatMap(RequestID.accept) : nil)
                ?? RequestID.random()
            request[RequestID.self] = id
            request.exchange?.setID(id)
            do {
                var response = try await next(request)
                response.fields[.xRequestID] = id
                response.body = response.body.failing(with: [.xRequestID: id], of: request)
                return response
            } catch {
                request.addErrorFields([.xRequestID: id])
                throw error
            }
        }
    }
}
