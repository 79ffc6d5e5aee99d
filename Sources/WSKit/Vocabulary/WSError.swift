/// Why a WebSocket connection fails. Each case has a close code (RFC 6455 §7.4.1) and a short reason.
public enum WSError: Error, Equatable, Sendable {
    /// RSV2 or RSV3 is set, or RSV1 in a frame that does not begin a compressed message (RFC 6455 §5.2, RFC 7692 §6).
    case reservedBit
    /// An opcode that no standard defines (RFC 6455 §5.2).
    case reservedOpcode(UInt8)
    /// A client sent a frame without a mask (RFC 6455 §5.1).
    case missingMask
    /// A server sent a masked frame (RFC 6455 §5.1).
    case unexpectedMask
    /// A payload length that is encoded in more bytes than necessary (RFC 6455 §5.2).
    case lengthNotMinimal
    /// A payload length whose highest bit is set (RFC 6455 §5.2).
    case lengthTooLarge
    /// A control frame of more than 125 bytes (RFC 6455 §5.5).
    case controlTooLong
    /// A fragmented control frame (RFC 6455 §5.5).
    case fragmentedControl
    /// A continuation frame without a message to continue (RFC 6455 §5.4).
    case unexpectedContinuation
    /// A new message before the previous one has ended (RFC 6455 §5.4).
    case expectedContinuation
    /// A close frame with a payload of one byte (RFC 6455 §5.5.1).
    case closePayload
    /// A close code that may not appear on the wire (RFC 6455 §7.4).
    case closeCode(UInt16)
    /// Text, or a close reason, that is not UTF-8 (RFC 6455 §8.1).
    case invalidUTF8
    /// A compressed message that is not valid deflate data (RFC 7692 §6.2).
    case corruptDeflate
    /// A message larger than ``WSLimits/maxMessageSize``, counted after decompression.
    case messageTooLarge(limit: Int)
    /// A frame larger than ``WSLimits/maxFrameSize``.
    case frameTooLarge(limit: Int)
    /// More control frames in a second than ``WSLimits/maxControlFramesPerSecond``.
    case tooManyControlFrames(limit: Int)
    /// More tiny fragments in a message than ``WSLimits/maxTinyFragments``.
    case tooManyTinyFragments(limit: Int)
    /// More messages in a second than ``WSLimits/maxMessagesPerSecond``.
    case tooManyMessages(limit: Int)
    /// A message that arrives more slowly than ``WSLimits/minMessageRate``.
    case messageTooSlow(rate: Int)
    /// A message that has not ended within ``WSLimits/messageTimeout``.
    case messageTimeout
    /// The unfinished messages of an event loop hold more than ``WSLimits/maxUnfinishedBytesPerLoop``, and this one is the
    /// oldest.
    case tooMuchUnfinished(limit: Int)
    /// Memory for compression could not be allocated.
    case outOfMemory
    /// A message was sent after the close frame: nothing may follow it (RFC 6455 §5.5.1).
    case closed
    /// A message was sent in the middle of a message that is sent in parts (RFC 6455 §5.4).
    case messageInProgress

    /// The code of the close frame that reports the error to the peer.
    public var closeCode: CloseCode {
        switch self {
        case .reservedBit, .reservedOpcode, .missingMask, .unexpectedMask, .lengthNotMinimal, .lengthTooLarge,
            .controlTooLong, .fragmentedControl, .unexpectedContinuation, .expectedContinuation,
            .closePayload, .closeCode:
            .protocolError
        case .invalidUTF8, .corruptDeflate: .invalidPayload
        case .messageTooLarge, .frameTooLarge: .messageTooBig
        case .tooManyControlFrames, .tooManyTinyFragments, .tooManyMessages, .messageTooSlow,
            .messageTimeout:
            .policyViolation
        case .tooMuchUnfinished: .tryAgainLater
        case .outOfMemory, .closed, .messageInProgress: .internalError
        }
    }

    /// The reason in that close frame: at most 123 bytes. It never contains text from the peer.
    public var reason: String {
        switch self {
        case .reservedBit: "a reserved bit is set"
        case .reservedOpcode(let opcode): "opcode \(opcode) is reserved"
        case .missingMask: "frames from a client must be masked"
        case .unexpectedMask: "frames from a server must not be masked"
        case .lengthNotMinimal: "the payload length is not minimal"
        case .lengthTooLarge: "the payload length exceeds 63 bits"
        case .controlTooLong: "the control frame has more than 125 bytes"
        case .fragmentedControl: "the control frame is fragmented"
        case .unexpectedContinuation: "there is no message to continue"
        case .expectedContinuation: "the previous message has not ended"
        case .closePayload: "the close frame's payload has only one byte"
        case .closeCode(let code): "\(code) is not a valid close code"
        case .invalidUTF8: "the text is not UTF-8"
        case .corruptDeflate: "the compressed data is corrupt"
        case .messageTooLarge(let limit): "the message has more than \(limit) bytes"
        case .frameTooLarge(let limit): "the frame has more than \(limit) bytes"
        case .tooManyControlFrames(let limit): "more than \(limit) control frames in a second"
        case .tooManyTinyFragments(let limit): "more than \(limit) tiny fragments in a message"
        case .tooManyMessages(let limit): "more than \(limit) messages in a second"
        case .messageTooSlow(let rate): "the message arrives at less than \(rate) bytes per second"
        case .messageTimeout: "the message has not ended in time"
        case .tooMuchUnfinished: "too many unfinished messages"
        case .outOfMemory: "out of memory"
        case .closed: "the connection is closing"
        case .messageInProgress: "another message is being sent in parts"
        }
    }
}
