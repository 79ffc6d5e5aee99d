/// Why a WebSocket connection fails, each case with its close code (RFC 6455 §7.4.1) and a short reason.
public enum WSError: Error, Equatable, Sendable {
    /// RSV2 or RSV3 is set, or RSV1 where no compressed message begins (RFC 6455 §5.2, RFC 7692 §6).
    case reservedBit
    /// An opcode that no standard defines (RFC 6455 §5.2).
    case reservedOpcode(UInt8)
    /// A client sent a frame without a mask (RFC 6455 §5.1).
    case missingMask
    /// A server sent a masked frame (RFC 6455 §5.1).
    case unexpectedMask
    /// A payload length written in more octets than it needs (RFC 6455 §5.2).
    case lengthNotMinimal
    /// A payload length whose highest bit is set (RFC 6455 §5.2).
    case lengthTooLarge
    /// A control frame of more than 125 octets (RFC 6455 §5.5).
    case controlTooLong
    /// A control frame in pieces (RFC 6455 §5.5).
    case fragmentedControl
    /// A continuation without a message to continue (RFC 6455 §5.4).
    case unexpectedContinuation
    /// A new message before the last one ended (RFC 6455 §5.4).
    case expectedContinuation
    /// A close frame with a payload of one octet (RFC 6455 §5.5.1).
    case closePayload
    /// A close code that may not appear on the wire (RFC 6455 §7.4).
    case closeCode(UInt16)
    /// Text, or a close reason, that is not UTF-8 (RFC 6455 §8.1).
    case invalidUTF8
    /// A compressed message whose octets are not deflate data (RFC 7692 §6.2).
    case corruptDeflate
    /// A message over ``WSLimits/maxMessageSize``, counted after decompression.
    case messageTooLarge(limit: Int)
    /// A frame over ``WSLimits/maxFrameSize``.
    case frameTooLarge(limit: Int)
    /// More pings, pongs or closes in a second than ``WSLimits/maxControlFramesPerSecond``.
    case tooManyControlFrames(limit: Int)
    /// More tiny fragments in a message than ``WSLimits/maxTinyFragments``.
    case tooManyTinyFragments(limit: Int)
    /// More messages in a second than ``WSLimits/maxMessagesPerSecond``.
    case tooManyMessages(limit: Int)
    /// A message under way that arrives more slowly than ``WSLimits/minMessageRate``.
    case messageTooSlow(rate: Int)
    /// A message that has not ended within ``WSLimits/messageTimeout``.
    case messageTimeout
    /// The messages under way on an event loop hold more than ``WSLimits/maxUnfinishedBytesPerLoop``, and this one is the
    /// oldest.
    case tooMuchUnfinished(limit: Int)
    /// The memory for compression could not be had.
    case outOfMemory
    /// A send after the close frame: nothing may follow it (RFC 6455 §5.5.1).
    case closed
    /// A send in the middle of a message that is sent in parts (RFC 6455 §5.4).
    case messageInProgress

    /// The code of the close frame that answers the error.
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

    /// The reason beside the code: at most 123 octets, never anything of the peer's own text.
    public var reason: String {
        switch self {
        case .reservedBit: "a reserved bit is set"
        case .reservedOpcode(let opcode): "opcode \(opcode) is reserved"
        case .missingMask: "frames of a client must be masked"
        case .unexpectedMask: "frames of a server must not be masked"
        case .lengthNotMinimal: "the payload length is not minimal"
        case .lengthTooLarge: "the payload length exceeds 63 bits"
        case .controlTooLong: "a control frame of more than 125 octets"
        case .fragmentedControl: "a fragmented control frame"
        case .unexpectedContinuation: "nothing to continue"
        case .expectedContinuation: "the last message has not ended"
        case .closePayload: "a close payload of one octet"
        case .closeCode(let code): "\(code) is no close code"
        case .invalidUTF8: "the text is not UTF-8"
        case .corruptDeflate: "the compressed data is corrupt"
        case .messageTooLarge(let limit): "a message of more than \(limit) octets"
        case .frameTooLarge(let limit): "a frame of more than \(limit) octets"
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
