public import HTTPKit
package import NIOCore

/// HTTP/2 (RFC 9113), as one of the protocols that a server's connections may speak.
package struct HTTP2: ConnectionProtocol {
    let limits: HTTP2Limits
    private let acceptsPriorKnowledge: Bool

    /// - Parameters:
    ///   - limits: what bounds each connection.
    ///   - acceptsPriorKnowledge: whether a connection without TLS may begin with HTTP/2 (RFC 9113 §3.3).
    package init(limits: HTTP2Limits = HTTP2Limits(), acceptsPriorKnowledge: Bool) {
        self.limits = limits
        self.acceptsPriorKnowledge = acceptsPriorKnowledge
    }

    package var name: String { "h2" }

    package func isSpoken(in input: ByteBuffer) -> Bool {
        guard acceptsPriorKnowledge else { return false }
        // The request line of the preface has arrived.
        let count = min(input.readableBytes, FrameReader.preface.utf8.count)
        return count >= 16
            && input.readableBytesView.prefix(count).elementsEqual(FrameReader.preface.utf8.prefix(count))
    }

    package func makeHandler(for connection: NewConnection) -> any ChannelHandler & Sendable {
        HTTP2Connection(connection, limits: limits)
    }
}

extension HTTPServer.Configuration {
    /// Has the server speak HTTP/2 (RFC 9113) besides HTTP/1.1.
    ///
    /// Connections over TLS choose it by ALPN.
    ///
    /// - Parameters:
    ///   - limits: What bounds what a client may ask of one connection.
    ///   - acceptsPriorKnowledge: Whether connections without TLS may speak it too, if they begin with it (RFC 9113 §3.3).
    ///     Browsers do not, but proxies and programs may.
    public mutating func addHTTP2(limits: HTTP2Limits = HTTP2Limits(), acceptsPriorKnowledge: Bool = false) {
        protocols.append(HTTP2(limits: limits, acceptsPriorKnowledge: acceptsPriorKnowledge))
    }
}
