// The load client of the benchmarks: epoll, one thread, loopback only. See main.c for its modes.
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
    double rate;         // requests per second over all connections; 0: as fast as responses arrive
    size_t size;         // ws: payload bytes; http: body bytes of a POST
    bool browser;        // http: a browser's request with 15 headers
    bool post;
    bool binary;
    bool deflate;
    int expectStatus;
    long expectBody;     // bytes of each response's body; -1: as many as in the first response
    pid_t server;        // whose CPU time and memory are measured; 0: none
    const char *allocations;  // the counter file of allocations.c, if the server runs under it
};

// Log-linear histogram of nanoseconds: 64 steps per power of two, so at most 1.6 % off.
struct histogram {
    uint64_t counts[64 * 64];
    uint64_t total;
};
void histogramAdd(struct histogram *histogram, uint64_t nanoseconds);
double histogramMicroseconds(const struct histogram *histogram, double quantile);

// The resources that the server and this client have used so far.
struct sample {
    uint64_t at;            // monotonic nanoseconds
    uint64_t serverCPU;     // nanoseconds, all threads, including ended ones
    double serverUser;      // seconds
    double serverSystem;    // seconds
    uint64_t clientCPU;     // nanoseconds
    uint64_t allocations;   // allocating calls, if the server runs under allocations.c
    long serverAnonymous;         // KiB
    long serverRSS;         // KiB
};
struct sample takeSample(const struct options *options, bool withMemory);

uint64_t now(void);
_Noreturn void fail(const char *format, ...);

// A connection and the responses that it waits for.
struct connection {
    int fd;
    const uint8_t *request;   // sent each time
    size_t requestLength;
    size_t bodyLength;        // bytes of filler after the request
    size_t unsent;            // of request and body
    int outstanding;          // responses awaited
    uint64_t due;             // when the outstanding requests were sent, or should have been
    uint64_t *late;           // rate mode: due times of delayed requests
    unsigned lateHead, lateTail;
    bool wantsWrite;

    uint8_t *bytes;           // received, not consumed
    size_t have, capacity;

    int phase;                // used by the protocol
    uint64_t bodyLeft;
    uint64_t bodySeen;
    uint8_t *message;         // ws: fragments of one message
    size_t messageLength;
};

// A protocol: what to send, and how to find complete responses.
struct protocol {
    // Prepares a connected, still blocking socket.
    void (*open)(struct connection *connection, const struct options *options);
    // Processes the received bytes. Returns the number of complete responses, or -1 after printing an error.
    int (*take)(struct connection *connection, const struct options *options);
};
extern const struct protocol httpProtocol;
extern const struct protocol webSocketProtocol;

int connectTo(const struct options *options);
void makeNonBlocking(int fd);
void closeHard(int fd);
void openConnection(
    struct connection *connection, const struct protocol *protocol, const struct options *options);
// Reads the available bytes. 0 if the server closed, -1 if there are none.
ssize_t receive(struct connection *connection);
void consume(struct connection *connection, size_t count);

void runClosedOrRated(const struct options *options, const struct protocol *protocol);
void runPublish(const struct options *options);
void runIdle(const struct options *options);

// The request of a WebSocket handshake; used by publish and idle too.
void webSocketHandshake(struct connection *connection, const struct options *options);

#endif
