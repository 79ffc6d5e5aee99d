import HTTPKit
import NIOCore

/// The fields of one decompressed block, one behind the other in a buffer, and where each of them stands.
///
/// It keeps what is within the limits. Behind them only the table of the decoder sees the fields.
struct FieldSection {
    /// What did not fit.
    enum Overflow {
        /// The path.
        case target
        /// The fields together.
        case size
        /// Their number.
        case count
    }

    /// The bytes, behind `host`, which is the name that `:authority` gets.
    var buffer: ByteBuffer
    /// Where the fields stand, pseudo-header fields too, in their order.
    private(set) var slots: [FieldSlot] = []
    private(set) var overflow: Overflow?
    private let maxSize: Int
    private let maxCount: Int

    /// How many bytes stand in front of the fields.
    static let prefix = 4

    /// - Parameters:
    ///   - maxSize: how many bytes names and values may have together.
    ///   - maxCount: how many fields there may be.
    init(maxSize: Int, maxCount: Int, sizeHint: Int = 512) {
        self.maxSize = maxSize
        self.maxCount = maxCount
        buffer = ByteBufferAllocator().buffer(capacity: sizeHint)
        buffer.writeStaticString("host")
        slots.reserveCapacity(16)
    }

    /// Where the next field begins.
    var position: Int { buffer.writerIndex }

    /// What has been written since `start`.
    func bytes(from start: Int) -> [UInt8] {
        buffer.getBytes(at: start, length: buffer.writerIndex - start) ?? []
    }

    /// Adds a field: its name, and its value behind it.
    mutating func append(_ field: borrowing Span<UInt8>, nameLength: Int) {
        let start = position
        let count = field.count
        buffer.writeWithOutputRawSpan(minimumWritableBytes: count) { span in
            field.withUnsafeBytes { span.append($0) }
        }
        endField(from: start, nameLength: nameLength)
    }

    /// Ends a field whose bytes have been written since `start`. One above the limits is taken back.
    mutating func endField(from start: Int, nameLength: Int) {
        let end = position
        if overflow == nil {
            if end - Self.prefix > maxSize {
                let isPath = buffer.getSlice(at: start, length: nameLength).map { $0 == Self.path } ?? false
                overflow = isPath ? .target : .size
            } else if slots.count >= maxCount {
                overflow = .count
            }
        }
        guard overflow == nil else {
            buffer.moveWriterIndex(to: start)
            return
        }
        slots.append(
            FieldSlot(
                nameStart: UInt32(truncatingIfNeeded: start),
                nameLength: UInt32(truncatingIfNeeded: nameLength),
                valueStart: UInt32(truncatingIfNeeded: start + nameLength),
                valueLength: UInt32(truncatingIfNeeded: end - start - nameLength)))
    }

    private static let path = ByteBuffer(string: ":path")
}
