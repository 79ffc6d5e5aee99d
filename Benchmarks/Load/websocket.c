// WebSocket client (RFC 6455, RFC 7692): sends a masked frame and compares its echo.
#define _GNU_SOURCE
#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

static uint8_t *plain;        // the message
static uint8_t *wire;         // the payload: the message, plain or compressed
static size_t wireLength;
static uint8_t *verified;     // a compressed echo that was inflated and verified
static size_t verifiedLength;

// JSON that compresses like that of an application.
static void fillJSON(uint8_t *bytes, size_t size) {
    char record[128];
    size_t at = 0;
    unsigned random = 1;
    for (unsigned index = 0; at < size; index++) {
        random = random * 1103515245u + 12345u;
        int length = snprintf(
            record, sizeof record, "{\"id\":%u,\"user\":\"user%u\",\"price\":%u.%02u,\"open\":%s},", index,
            random >> 20, (random >> 8) % 1000, random % 100, random & 64 ? "true" : "false");
        size_t part = size - at < (size_t)length ? size - at : (size_t)length;
        memcpy(bytes + at, record, part);
        at += part;
    }
}

static void buildMessage(const struct options *options) {
    size_t size = options->size;
    plain = malloc(size + 1);
    wire = malloc(size + 1024);
    verified = malloc(size + 1024);
    if (plain == NULL || wire == NULL || verified == NULL) fail("out of memory");
    fillJSON(plain, size);
    memcpy(wire, plain, size);
    wireLength = size;
    if (!options->deflate) return;
    z_stream stream = {0};
    if (deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) fail("zlib");
    stream.next_in = plain;
    stream.avail_in = (uInt)size;
    stream.next_out = wire;
    stream.avail_out = (uInt)(size + 1024);
    if (deflate(&stream, Z_SYNC_FLUSH) != Z_OK || stream.avail_in != 0) fail("zlib");
    wireLength = stream.total_out - 4;  // without the 00 00 ff ff of the flush (RFC 7692 §7.2.1)
    deflateEnd(&stream);
}

static size_t buildFrame(uint8_t **frame, const struct options *options, uint32_t key) {
    *frame = malloc(wireLength + 14);
    if (*frame == NULL) fail("out of memory");
    uint8_t *to = *frame;
    *to++ = (uint8_t)(0x80 | (options->deflate ? 0x40 : 0) | (options->binary ? 0x2 : 0x1));
    if (wireLength < 126) {
        *to++ = (uint8_t)(0x80 | wireLength);
    } else if (wireLength < 65536) {
        *to++ = 0x80 | 126;
        *to++ = (uint8_t)(wireLength >> 8);
        *to++ = (uint8_t)wireLength;
    } else {
        *to++ = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8) *to++ = (uint8_t)((uint64_t)wireLength >> shift);
    }
    uint8_t mask[4];
    memcpy(mask, &key, 4);
    memcpy(to, mask, 4);
    to += 4;
    for (size_t index = 0; index < wireLength; index++) to[index] = wire[index] ^ mask[index & 3];
    return (size_t)(to - *frame) + wireLength;
}

void webSocketHandshake(struct connection *connection, const struct options *options) {
    char text[4096];
    int length = snprintf(
        text, sizeof text,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
        options->path, options->port,
        options->deflate ? "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                           "client_no_context_takeover\r\n"
                         : "");
    if (write(connection->fd, text, (size_t)length) != length) fail("handshake: short write");
    const uint8_t *end;
    do {
        if (receive(connection) <= 0) fail("no response to the handshake for %s", options->path);
        end = memmem(connection->bytes, connection->have, "\r\n\r\n", 4);
    } while (end == NULL);
    size_t head = (size_t)(end - connection->bytes) + 4;
    const char *answer = (const char *)connection->bytes;
    if (strncmp(answer, "HTTP/1.1 101", 12) != 0) fail("handshake rejected: %.60s", answer);
    // The accept value of the sample nonce (RFC 6455 §1.3).
    if (memmem(answer, head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28) == NULL) fail("wrong accept value");
    if (options->deflate && memmem(answer, head, "permessage-deflate", 18) == NULL)
        fail("permessage-deflate was not accepted");
    consume(connection, head);
}

static void openWebSocket(struct connection *connection, const struct options *options) {
    static uint32_t key = 0x9E3779B9u;
    if (plain == NULL) buildMessage(options);
    webSocketHandshake(connection, options);
    key = key * 1664525u + 1013904223u;
    uint8_t *frame;
    connection->requestLength = buildFrame(&frame, options, key);
    connection->request = frame;
}

static bool inflatesToMessage(uint8_t *bytes, size_t length, size_t size) {
    static uint8_t *out;
    if (out == NULL) out = malloc(size + 1);
    if (out == NULL) fail("out of memory");
    uint8_t tail[] = {0, 0, 0xFF, 0xFF};
    z_stream stream = {0};
    if (inflateInit2(&stream, -15) != Z_OK) fail("zlib");
    stream.next_out = out;
    stream.avail_out = (uInt)(size + 1);
    stream.next_in = bytes;
    stream.avail_in = (uInt)length;
    int result = inflate(&stream, Z_SYNC_FLUSH);
    stream.next_in = tail;
    stream.avail_in = sizeof tail;
    if (result == Z_OK) result = inflate(&stream, Z_SYNC_FLUSH);
    bool right = stream.total_out == size && memcmp(out, plain, size) == 0;
    inflateEnd(&stream);
    return right;
}

static bool isRight(uint8_t *bytes, size_t length, bool deflated, const struct options *options) {
    if (!deflated) return length == options->size && memcmp(bytes, plain, length) == 0;
    if (verifiedLength == length && memcmp(bytes, verified, length) == 0) return true;
    if (!inflatesToMessage(bytes, length, options->size)) return false;
    if (length <= options->size + 1024) {
        memcpy(verified, bytes, length);
        verifiedLength = length;
    }
    return true;
}

static int takeWebSocket(struct connection *connection, const struct options *options) {
    bool publishing = strcmp(options->mode, "publish") == 0;
    int answers = 0;
    size_t at = 0;
    while (connection->have - at >= 2) {
        uint8_t *bytes = connection->bytes + at;
        size_t have = connection->have - at, header = 2, length = bytes[1] & 0x7F;
        if (length == 126) {
            header = 4;
            if (have < header) break;
            length = (size_t)bytes[2] << 8 | bytes[3];
        } else if (length == 127) {
            header = 10;
            if (have < header) break;
            length = 0;
            for (int index = 2; index < 10; index++) length = length << 8 | bytes[index];
        }
        if (have < header + length) break;
        uint8_t opcode = bytes[0] & 0x0F, *payload = bytes + header;
        at += header + length;
        if (opcode == 9) continue;  // a ping: a run is shorter than any server's ping timeout
        if (opcode == 8) {
            fprintf(stderr, "load: the server closed a socket\n");
            return -1;
        }
        if (publishing) {
            answers += (bytes[0] & 0x80) != 0;
            continue;
        }
        bool whole = (bytes[0] & 0x80) != 0 && opcode != 0;
        if (!whole) {
            if (connection->message == NULL) connection->message = malloc(options->size + 1024);
            if (connection->message == NULL || connection->messageLength + length > options->size + 1024) {
                fprintf(stderr, "load: fragments of more than the message\n");
                return -1;
            }
            memcpy(connection->message + connection->messageLength, payload, length);
            connection->messageLength += length;
            if ((bytes[0] & 0x80) == 0) continue;
            payload = connection->message;
            length = connection->messageLength;
            connection->messageLength = 0;
        }
        if (!isRight(payload, length, whole ? (bytes[0] & 0x40) != 0 : options->deflate, options)) {
            fprintf(stderr, "load: an echo that is not what was sent\n");
            return -1;
        }
        answers += 1;
    }
    consume(connection, at);
    return answers;
}

const struct protocol webSocketProtocol = {.open = openWebSocket, .take = takeWebSocket};
