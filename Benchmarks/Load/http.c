// HTTP/1.1 client: fixed requests. Checks the status and length of every response.
#define _GNU_SOURCE
#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum { awaitingHead, inBody, inChunkSize, inChunk, afterChunk, inTrailer };

static uint8_t *request;
static size_t requestLength;

// The shape of the first short response. A response with the same length, status and body needs no second parse: only
// its headers (Date) may differ.
static struct {
    size_t total, bodyLength;
    uint8_t body[1024];
} known;

// Chromium's request for a page: 15 headers, 700 bytes.
static const char browserFields[] =
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "sec-ch-ua: \"Chromium\";v=\"142\", \"Not?A_Brand\";v=\"8\"\r\n"
    "sec-ch-ua-mobile: ?0\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cookie: session=6f1c0d3b9a7e4f52; theme=dark; visited=2026-11-20\r\n";

static void buildRequest(const struct options *options) {
    char one[4096];
    int length = snprintf(
        one, sizeof one, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s", options->post ? "POST" : "GET",
        options->path, options->port, options->browser ? browserFields : "Connection: keep-alive\r\n");
    if (options->post)
        length += snprintf(
            one + length, sizeof one - (size_t)length,
            "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n", options->size);
    length += snprintf(one + length, sizeof one - (size_t)length, "\r\n");
    requestLength = (size_t)length * (size_t)options->pipeline;
    request = malloc(requestLength);
    if (request == NULL) fail("out of memory");
    for (int index = 0; index < options->pipeline; index++)
        memcpy(request + index * length, one, (size_t)length);
}

static void openHTTP(struct connection *connection, const struct options *options) {
    if (request == NULL) buildRequest(options);
    connection->request = request;
    connection->requestLength = requestLength;
    connection->bodyLength = options->post ? options->size : 0;
    connection->phase = awaitingHead;
}

static const char *fieldValue(const char *head, const char *end, const char *name) {
    size_t length = strlen(name);
    for (const char *line = head; line < end;) {
        const char *next = memmem(line, (size_t)(end - line), "\r\n", 2);
        if (next == NULL) return NULL;
        line = next + 2;
        if ((size_t)(end - line) > length && strncasecmp(line, name, length) == 0 && line[length] == ':') {
            line += length + 1;
            while (line < end && *line == ' ') line++;
            return line;
        }
    }
    return NULL;
}

static bool matchesKnown(const uint8_t *bytes, size_t have) {
    size_t head = known.total - known.bodyLength;
    return known.total > 0 && have >= known.total && memcmp(bytes, "HTTP/1.1 200", 12) == 0
        && memcmp(bytes + head - 4, "\r\n\r\n", 4) == 0
        && memcmp(bytes + head, known.body, known.bodyLength) == 0;
}

// Parses a head at `bytes`. Returns its length, 0 if it is incomplete, -1 if it is wrong.
static long readHead(
    struct connection *connection, const uint8_t *bytes, size_t have, const struct options *options) {
    const char *end = memmem(bytes, have, "\r\n\r\n", 4);
    if (end == NULL) return 0;
    const char *head = (const char *)bytes;
    end += 4;
    int status = 0;
    if (sscanf(head, "HTTP/1.1 %d", &status) != 1 || status != options->expectStatus) {
        fprintf(stderr, "load: unexpected response: %.*s\n", 60, head);
        return -1;
    }
    const char *length = fieldValue(head, end, "content-length");
    const char *coding = fieldValue(head, end, "transfer-encoding");
    connection->bodySeen = 0;
    if (coding != NULL && strncasecmp(coding, "chunked", 7) == 0) {
        connection->phase = inChunkSize;
    } else if (length != NULL) {
        connection->bodyLeft = strtoull(length, NULL, 10);
        connection->phase = inBody;
        size_t size = (size_t)(end - head);
        bool whole = have >= size + connection->bodyLeft;
        if (known.total == 0 && whole && connection->bodyLeft <= sizeof known.body && status == 200) {
            known.bodyLength = connection->bodyLeft;
            known.total = size + known.bodyLength;
            memcpy(known.body, end, known.bodyLength);
        }
    } else {
        fprintf(stderr, "load: a response without a length\n");
        return -1;
    }
    return end - head;
}

static int finish(struct connection *connection, const struct options *options) {
    connection->phase = awaitingHead;
    if (options->expectBody >= 0 && connection->bodySeen != (uint64_t)options->expectBody) {
        fprintf(stderr, "load: a body of %llu bytes\n", (unsigned long long)connection->bodySeen);
        return -1;
    }
    return 1;
}

// The length of a line at `bytes`, with its CRLF, or 0 if it is incomplete.
static size_t lineLength(const uint8_t *bytes, size_t have) {
    const uint8_t *end = memmem(bytes, have, "\r\n", 2);
    return end == NULL ? 0 : (size_t)(end - bytes) + 2;
}

static int takeHTTP(struct connection *connection, const struct options *options) {
    int answers = 0;
    size_t at = 0;
    while (at < connection->have) {
        const uint8_t *bytes = connection->bytes + at;
        size_t have = connection->have - at, line;
        int done = 0;
        switch (connection->phase) {
        case awaitingHead:
            if (options->expectBody < 0 && matchesKnown(bytes, have)) {
                at += known.total;
                answers += 1;
                continue;
            }
            long length = readHead(connection, bytes, have, options);
            if (length < 0) return -1;
            if (length == 0) goto out;
            at += (size_t)length;
            if (connection->phase == inBody && connection->bodyLeft == 0) done = finish(connection, options);
            break;
        case inBody:
        case inChunk: {
            size_t part = have < connection->bodyLeft ? have : (size_t)connection->bodyLeft;
            at += part;
            connection->bodyLeft -= part;
            connection->bodySeen += part;
            if (connection->bodyLeft > 0) break;
            if (connection->phase == inChunk) connection->phase = afterChunk;
            else done = finish(connection, options);
            break;
        }
        case afterChunk:
        case inChunkSize:
        case inTrailer:
            line = lineLength(bytes, have);
            if (line == 0) goto out;
            at += line;
            if (connection->phase == afterChunk) {
                connection->phase = inChunkSize;
            } else if (connection->phase == inChunkSize) {
                connection->bodyLeft = strtoull((const char *)bytes, NULL, 16);
                connection->phase = connection->bodyLeft == 0 ? inTrailer : inChunk;
            } else if (line == 2) {
                done = finish(connection, options);
            }
            break;
        }
        if (done < 0) return -1;
        answers += done;
    }
out:
    consume(connection, at);
    // A long body is counted without copying: the kernel drops it (tcp(7), MSG_TRUNC).
    while (connection->have == 0 && (connection->phase == inBody || connection->phase == inChunk)
           && connection->bodyLeft > 65536) {
        ssize_t count = recv(connection->fd, NULL, (size_t)connection->bodyLeft - 1, MSG_TRUNC);
        if (count <= 0) break;
        connection->bodyLeft -= (uint64_t)count;
        connection->bodySeen += (uint64_t)count;
    }
    return answers;
}

const struct protocol httpProtocol = {.open = openHTTP, .take = takeHTTP};
