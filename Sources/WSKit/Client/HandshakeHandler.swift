import HTTPKit
import HTTPTypes
import Logging
import NIOCore

/// The client's opening handshake on its channel: opens the tunnel through a proxy, has the channel encrypted, sends the
/// request, checks the response, and then replaces itself by a `WebSocketConnection`.
///
/// Invariant: accessed on the channel's event loop only.
final class HandshakeHandler: ChannelInboundHandler, RemovableChannelHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case idle
        case awaitingTunnel
        case awaitingSecurity
        case awaitingResponse
        case done
    }

    private let address: WebSocketAddress
    private let options: WebSocketClientOptions
    private let loop: LoopContext
    private let logger: Logger
    private let handshake: ClientHandshake
    private var decoder: ResponseDecoder
    private var state: State = .idle
    private var inbound = ByteBuffer()
    /// How many bytes the handshake has received.
    private var received = 0
    private var interimResponses = 0
    private var context: ChannelHandlerContext?
    private var promise: EventLoopPromise<WebSocket>?
    private var timeout: Scheduled<Void>?
    /// The rest of the connect timeout.
    private let remaining: TimeAmount

    init(
        address: WebSocketAddress, options: WebSocketClientOptions, loop: LoopContext, logger: Logger,
        remaining: TimeAmount
    ) {
        self.remaining = remaining
        self.address = address
        self.options = options
        self.loop = loop
        self.logger = logger
        handshake = ClientHandshake(
            nonce: (.random(in: .min ... .max), .random(in: .min ... .max)),
            subprotocols: options.subprotocols,
            deflate: options.deflate)
        decoder = ResponseDecoder(limits: HTTPLimits())
    }

    /// Begins the handshake. Must be called on the event loop. The future returns the socket.
    func begin(_ channel: any Channel) -> EventLoopFuture<WebSocket> {
        let promise = channel.eventLoop.makePromise(of: WebSocket.self)
        self.promise = promise
        guard channel.isActive else {
            fail(
                WebSocketConnectError(
                    address: address, reason: "the connection closed before the handshake began"))
            return promise.futureResult
        }
        timeout = channel.eventLoop.scheduleTask(in: remaining) {
            self.fail(
                WebSocketConnectError(
                    address: self.address, reason: "no response within \(self.options.connectTimeout)"))
        }
        if let proxy = options.proxy {
            state = .awaitingTunnel
            sendConnect(proxy)
        } else {
            secure(channel)
        }
        channel.setOption(.autoRead, value: true).whenComplete { _ in channel.read() }
        return promise.futureResult
    }

    /// Has the channel encrypted if it must be, and then sends the request.
    private func secure(_ channel: any Channel) {
        guard address.isSecure, let security = options.security else {
            state = .awaitingResponse
            return sendRequest()
        }
        state = .awaitingSecurity
        do {
            try security.secure(channel, host: address.host, isDirect: options.proxy == nil) { failure in
                guard case .awaitingSecurity = self.state else { return }
                switch failure {
                case nil:
                    self.state = .awaitingResponse
                    self.sendRequest()
                case .identity(let error)?: self.fail(error)
                case .other(let error)?:
                    self.fail(WebSocketConnectError(address: self.address, reason: "\(error)"))
                }
            }
        } catch {
            fail(error)
        }
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard promise != nil || state != .done else { return }
        var buffer = unwrapInboundIn(data)
        received += buffer.readableBytes
        inbound.discardReadBytes()
        inbound.writeBuffer(&buffer)
        do {
            try advance()
        } catch {
            fail(error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(
            WebSocketConnectError(
                address: address, reason: "the connection closed before the handshake was done"))
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            fail(
                WebSocketConnectError(
                    address: address, reason: "the server closed before the handshake was done"))
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(WebSocketConnectError(address: address, reason: "\(error)"))
    }

    private func advance() throws {
        if case .awaitingTunnel = state {
            guard let head = try nextHead() else { return }
            guard (200...299).contains(head.status) else {
                throw WebSocketConnectError(
                    address: address, reason: "the proxy responded with \(head.status)",
                    isTransient: ReconnectPolicy.isTransient(status: head.status))
            }
            // With TLS a server says nothing before the client does.
            guard !address.isSecure || inbound.readableBytes == 0 else {
                throw WebSocketConnectError(
                    address: address, reason: "the proxy sent data of its own behind its response",
                    isTransient: false)
            }
            if let channel = context?.channel { secure(channel) }
        }
        guard case .awaitingResponse = state, let head = try nextHead() else { return }
        let agreement = try handshake.check(
            status: head.status, minorVersion: head.minorVersion, fields: head.fields)
        try open(agreement)
    }

    /// Returns the next response head that is not interim, or `nil` if it is incomplete. The number and the size of the
    /// responses are limited here, and their duration by the timeout.
    private func nextHead() throws -> ResponseHead? {
        while true {
            let head = try decoder.nextHead(&inbound)
            // Bytes after a complete head are not counted: after a 101 they are frames.
            let size = head == nil ? received : received - inbound.readableBytes
            guard size <= options.maxHandshakeSize else {
                throw ClientHandshakeError.tooLarge(limit: options.maxHandshakeSize)
            }
            guard let head, head.isInterim else { return head }
            interimResponses += 1
            guard interimResponses <= options.maxInterimResponses else {
                throw ClientHandshakeError.tooManyInterimResponses(limit: options.maxInterimResponses)
            }
        }
    }

    /// Asks a proxy for a tunnel (RFC 9110 §9.3.6).
    private func sendConnect(_ proxy: WebSocketClientOptions.Proxy) {
        let name = address.host.contains(":") ? "[\(address.host)]" : address.host
        let target = "\(name):\(address.port)"
        var fields: HTTPFields = [:]
        if let authorization = proxy.authorization { fields[.proxyAuthorization] = authorization }
        write("CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\n", fields)
    }

    private func sendRequest() {
        write(
            "GET \(address.target) HTTP/1.1\r\nHost: \(address.authority)\r\n",
            handshakeFields())
    }

    /// The header fields of the request. The caller's fields cannot replace those of the handshake.
    private func handshakeFields() -> HTTPFields {
        var fields = HTTPFields(handshake.requestFields)
        let own = Set(fields.map(\.name) + [Self.hostName].compactMap { $0 })
        for field in options.fields where !own.contains(field.name) { fields.append(field) }
        return fields
    }

    private static let hostName = HTTPField.Name("Host")

    private func write(_ start: String, _ fields: HTTPFields) {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: 512)
        buffer.writeString(start)
        // The values contain no CR, LF or NUL: `HTTPField` guarantees that.
        for field in fields {
            buffer.writeString(field.name.rawName)
            buffer.writeStaticString(": ")
            _ = field.withUnsafeBytesOfValue { buffer.writeBytes($0) }
            buffer.writeStaticString("\r\n")
        }
        buffer.writeStaticString("\r\n")
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    /// Replaces this handler by the connection, and passes on the bytes that followed the response.
    private func open(_ agreement: ClientHandshake.Agreement) throws {
        guard let context, let promise else { return }
        state = .done
        timeout?.cancel()
        let limits = SharedLimits(options.limits)
        let machine = WebSocketMachine(
            role: .client, limits: limits, deflate: agreement.deflate, mode: options.deflate,
            shared: SocketLoop.of(loop).codecs, delivery: options.deliversParts ? .parts : .whole,
            now: NIODeadline(LoopInstant.now))
        let connection = WebSocketConnection(
            loop: loop, machine: machine,
            service: SocketService(
                limits: limits, consumer: .task, topics: nil, logger: logger, route: "\(address)"))
        let channel = context.channel
        let parts = WebSocketConnection.Parts(
            connection: connection, request: nil, subprotocol: agreement.subprotocol,
            isCompressed: agreement.deflate != nil, remoteAddress: channel.remoteAddress)
        try context.pipeline.syncOperations.addHandler(connection)
        self.promise = nil
        let unread = inbound
        inbound = ByteBuffer()
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        let socket = parts.openSocket()
        loop.turn { if unread.readableBytes > 0 { connection.receive(unread) } }
        promise.succeed(socket)
    }

    private func fail(_ error: any Error) {
        guard let promise else { return }
        state = .done
        self.promise = nil
        timeout?.cancel()
        inbound = ByteBuffer()
        promise.fail(error)
        context?.close(promise: nil)
    }
}
