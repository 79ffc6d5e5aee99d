// The bench's load client: epoll, one thread, loopback only. See main.c for its modes.
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum {
    maximumConnections = 16000,  // below the usual limit of 20,000 file descriptors
    maximumSeconds = 120,
    maximumPipeline = 128,
};

struct options {
    const char *mode;  // http, ws, publish, idle
    const char *path;
    int port;
    int connections;
    int pipeline;
    double seconds;
    double warmup;
    double rate;         // requests a second over all connections; 0: as fast as answers come
    size_t size;         // ws: payload octets; http: body octets of a POST
    bool browser;        // http: a browser's request of 15 fields
    bool post;
    bool binary;
    bool deflate;
    int expectStatus;
    long expectBody;     // octets of each answer's body; -1: whatever the first answer had
    pid_t server;        // whose CPU time and memory are taken; 0: none
    const char *allocations;  // the counter file of allocations.c, if the server runs under it
};

// Log-linear histogram of nanoseconds: 64 steps per power of two, so at most 1.6 % off.
struct histogram {
    uint64_t counts[64 * 64];
    uint64_t total;
};
void histogramAdd(struct histogram *histogram, uint64_t nanoseconds);
double histogramMicroseconds(const struct histogram *histogram, double quantile);

// What the server and this client had used at one moment.
struct sample {
    uint64_t at;            // monotonic nanoseconds
    uint64_t serverCPU;     // nanoseconds, all threads, dead ones too
    double serverUser;      // seconds
    double serverSystem;    // seconds
    uint64_t clientCPU;     // nanoseconds
    uint64_t allocations;   // calls that allocate, when the server runs under allocations.c
    long serverAnonymous;         // KiB
    long serverRSS;         // KiB
};
struct sample takeSample(const struct options *options, bool withMemory);

uint64_t now(void);
_Noreturn void fail(const char *format, ...);

// One connection and what it awaits.
struct connection {
    int fd;
    const uint8_t *request;   // what is sent each time
    size_t requestLength;
    size_t bodyLength;        // octets of filler that follow the request
    size_t unsent;            // of request and body
    int outstanding;          // answers awaited
    uint64_t due;             // when what is outstanding was sent, or should have been
    uint64_t *late;           // rate mode: due times that wait for this connection
    unsigned lateHead, lateTail;
    bool wantsWrite;

    uint8_t *bytes;           // received, not consumed
    size_t have, capacity;

    int phase;                // the protocol's own
    uint64_t bodyLeft;
    uint64_t bodySeen;
    uint8_t *message;         // ws: fragments of one message
    size_t messageLength;
};

// A protocol: what to send, and how to tell complete answers in what was received.
struct protocol {
    // Prepares a connected, still blocking socket.
    void (*open)(struct connection *connection, const struct options *options);
    // Takes what is there; returns the number of answers completed, or -1 after printing why.
    int (*take)(struct connection *connection, const struct options *options);
};
extern const struct protocol httpProtocol;
extern const struct protocol webSocketProtocol;

int connectTo(const struct options *options);
void makeNonBlocking(int fd);
void closeHard(int fd);
void openConnection(
    struct connection *connection, const struct protocol *protocol, const struct options *options);
// Reads what is there; 0 when the peer closed, -1 when there is nothing.
ssize_t receive(struct connection *connection);
void consume(struct connection *connection, size_t count);

void runClosedOrRated(const struct options *options, const struct protocol *protocol);
void runPublish(const struct options *options);
void runIdle(const struct options *options);

// The wire text of a WebSocket handshake; used by publish and idle too.
void webSocketHandshake(struct connection *connection, const struct options *options);

#endif
