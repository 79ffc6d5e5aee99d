// Many sockets: the cost of a publish per delivery, and the memory of an idle socket.
#define _GNU_SOURCE
#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { publishes = 500, publishSeconds = 60 };

// Exchanges one message, so that the measured sockets have been used.
static void exchange(struct connection *connection, const struct options *options) {
    ssize_t length = (ssize_t)connection->requestLength;
    if (write(connection->fd, connection->request, connection->requestLength) != length)
        fail("short write");
    int answers = 0;
    while (answers == 0) {
        if (receive(connection) <= 0) fail("no echo");
        answers = webSocketProtocol.take(connection, options);
        if (answers < 0) exit(1);
    }
    free((void *)(uintptr_t)connection->request);
}

static struct connection *openMany(const struct options *options, int total, bool used) {
    struct connection *connections = calloc((size_t)total, sizeof *connections);
    if (connections == NULL) fail("out of memory");
    for (int index = 0; index < total; index++) {
        struct connection *connection = &connections[index];
        connection->fd = connectTo(options);
        connection->capacity = 4096;
        connection->bytes = malloc(connection->capacity);
        if (connection->bytes == NULL) fail("out of memory");
        if (used) {
            webSocketProtocol.open(connection, options);
            exchange(connection, options);
        } else {
            webSocketHandshake(connection, options);
        }
        makeNonBlocking(connection->fd);
    }
    return connections;
}

static void closeMany(struct connection *connections, int total) {
    for (int index = 0; index < total; index++) {
        closeHard(connections[index].fd);
        free(connections[index].bytes);
    }
    free(connections);
}

// Requests the broadcast and reads the short response.
static void trigger(const struct options *options) {
    int fd = connectTo(options);
    char text[512];
    int length = snprintf(
        text, sizeof text, "GET /bcast HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: keep-alive\r\n\r\n",
        options->port);
    if (write(fd, text, (size_t)length) != length || read(fd, text, sizeof text) <= 0
        || strncmp(text, "HTTP/1.1 200", 12) != 0)
        fail("/bcast did not respond with 200");
    close(fd);
}

void runPublish(const struct options *options) {
    int total = options->connections;
    struct connection *connections = openMany(options, total, false);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    for (int index = 0; index < total; index++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[index]};
        epoll_ctl(poller, EPOLL_CTL_ADD, connections[index].fd, &event);
    }
    usleep(300000);  // a subscription may become active after the 101 was sent
    uint64_t wanted = (uint64_t)total * publishes, delivered = 0, errors = 0;
    struct sample first = takeSample(options, false);
    trigger(options);
    uint64_t deadline = first.at + publishSeconds * 1000000000ull;
    struct epoll_event events[256];
    while (delivered < wanted && errors == 0 && now() < deadline) {
        int count = epoll_wait(poller, events, 256, 100);
        for (int index = 0; index < count; index++) {
            struct connection *connection = events[index].data.ptr;
            int answers = receive(connection) > 0 ? webSocketProtocol.take(connection, options) : -1;
            if (answers < 0) errors += 1;
            else delivered += (uint64_t)answers;
        }
    }
    struct sample last = takeSample(options, true);
    double seconds = (double)(last.at - first.at) / 1e9;
    double cpu = (double)(last.serverCPU - first.serverCPU);
    printf(
        "{\"deliveries\": %llu, \"wanted\": %llu, \"errors\": %llu, \"seconds\": %.4f, \"rate\": %.1f, "
        "\"cpu_us\": %.4f, \"server_share\": %.4f, \"client_share\": %.4f, \"allocations\": %.3f, "
        "\"rss_kib\": %ld}\n",
        (unsigned long long)delivered, (unsigned long long)wanted, (unsigned long long)errors, seconds,
        (double)delivered / seconds, delivered > 0 ? cpu / 1e3 / (double)delivered : 0, cpu / 1e9 / seconds,
        (double)(last.clientCPU - first.clientCPU) / 1e9 / seconds,
        delivered > 0 ? (double)(last.allocations - first.allocations) / (double)delivered : 0,
        last.serverRSS);
    closeMany(connections, total);
}

void runIdle(const struct options *options) {
    // A few sockets first, so that one-time allocations of the server are not counted.
    closeMany(openMany(options, 16, true), 16);
    usleep(500000);
    struct sample first = takeSample(options, true);
    struct connection *connections = openMany(options, options->connections, true);
    usleep((useconds_t)(options->seconds * 1e6));
    struct sample last = takeSample(options, true);
    struct sample idleFrom = takeSample(options, false);
    usleep(1000000);
    struct sample idleTo = takeSample(options, false);
    double total = options->connections;
    printf(
        "{\"sockets\": %.0f, \"anonymous_bytes\": %.1f, \"rss_bytes\": %.1f, \"before_kib\": %ld, "
        "\"after_kib\": %ld, \"handshake_cpu_us\": %.2f, \"idle_cpu_share\": %.5f, \"errors\": 0}\n",
        total, (double)(last.serverAnonymous - first.serverAnonymous) * 1024 / total,
        (double)(last.serverRSS - first.serverRSS) * 1024 / total, first.serverAnonymous, last.serverAnonymous,
        (double)(last.serverCPU - first.serverCPU) / 1e3 / total,
        (double)(idleTo.serverCPU - idleFrom.serverCPU) / (double)(idleTo.at - idleFrom.at));
    closeMany(connections, options->connections);
}
