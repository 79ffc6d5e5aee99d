// The measuring loop: as fast as responses arrive, or at a fixed rate.
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { lateCapacity = 4096, fillerLength = 1 << 20 };

static uint8_t filler[fillerLength];
static struct histogram latencies;
static struct connection *connections;
static uint64_t answered, errors, dropped;
static int poller;
static int living;

static void setInterest(struct connection *connection, bool write) {
    if (connection->wantsWrite == write) return;
    connection->wantsWrite = write;
    struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = connection};
    epoll_ctl(poller, EPOLL_CTL_MOD, connection->fd, &event);
}

static void end(struct connection *connection) {
    epoll_ctl(poller, EPOLL_CTL_DEL, connection->fd, NULL);
    closeHard(connection->fd);
    connection->fd = -1;
    errors += 1;
    living -= 1;
}

// Sends the unsent part of request and body. The rest is sent when the socket is writable.
static void push(struct connection *connection) {
    while (connection->unsent > 0) {
        size_t done = connection->requestLength + connection->bodyLength - connection->unsent;
        struct iovec parts[2];
        int count = 0;
        if (done < connection->requestLength) {
            parts[count++] = (struct iovec){
                (void *)(uintptr_t)(connection->request + done), connection->requestLength - done};
            done = connection->requestLength;
        }
        size_t body = connection->requestLength + connection->bodyLength - done;
        if (body > 0) parts[count++] = (struct iovec){filler, body < fillerLength ? body : fillerLength};
        ssize_t sent = count == 1 ? send(connection->fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
                                  : writev(connection->fd, parts, count);
        if (sent < 0) {
            if (errno == EAGAIN) break;
            end(connection);
            return;
        }
        connection->unsent -= (size_t)sent;
    }
    setInterest(connection, connection->unsent > 0);
}

static void request(struct connection *connection, uint64_t due, int pipeline) {
    connection->due = due;
    connection->outstanding = pipeline;
    connection->unsent = connection->requestLength + connection->bodyLength;
    push(connection);
}

static void requestLate(struct connection *connection, uint64_t due) {
    if (connection->fd < 0) return;
    if (connection->outstanding == 0) {
        request(connection, due, 1);
    } else if (connection->lateTail - connection->lateHead < lateCapacity) {
        connection->late[connection->lateTail++ % lateCapacity] = due;
    } else {
        dropped += 1;
    }
}

static void handle(
    struct connection *connection, uint32_t events, const struct protocol *protocol,
    const struct options *options) {
    if ((events & EPOLLOUT) != 0 && connection->unsent > 0) push(connection);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0 || connection->fd < 0) return;
    ssize_t count = receive(connection);
    if (count < 0 && errno == EAGAIN) return;
    int answers = count <= 0 ? -1 : protocol->take(connection, options);
    if (answers < 0 || answers > connection->outstanding) {
        end(connection);
        return;
    }
    if (answers == 0) return;
    uint64_t time = now();
    for (int index = 0; index < answers; index++) histogramAdd(&latencies, time - connection->due);
    answered += (uint64_t)answers;
    connection->outstanding -= answers;
    if (connection->outstanding > 0) return;
    if (options->rate <= 0) {
        request(connection, time, options->pipeline);
    } else if (connection->lateHead != connection->lateTail) {
        request(connection, connection->late[connection->lateHead++ % lateCapacity], 1);
    }
}

static void report(
    const struct options *options, const struct sample *first, const struct sample *last) {
    double seconds = (double)(last->at - first->at) / 1e9;
    double requests = (double)answered;
    double cpu = (double)(last->serverCPU - first->serverCPU);
    double user = last->serverUser - first->serverUser, system = last->serverSystem - first->serverSystem;
    double clientShare = (double)(last->clientCPU - first->clientCPU) / 1e9 / seconds;
    double per = requests > 0 ? cpu / 1e3 / requests : 0;
    double userShare = user + system > 0 ? user / (user + system) : 0;
    printf(
        "{\"requests\": %.0f, \"seconds\": %.4f, \"rate\": %.1f, \"errors\": %llu, \"dropped\": %llu, "
        "\"asked_rate\": %.1f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, \"cpu_us\": %.4f, "
        "\"user_us\": %.4f, \"system_us\": %.4f, \"server_share\": %.4f, \"client_share\": %.4f, "
        "\"allocations\": %.3f, \"rss_kib\": %ld}\n",
        requests, seconds, requests / seconds, (unsigned long long)errors, (unsigned long long)dropped,
        options->rate, histogramMicroseconds(&latencies, 0.5), histogramMicroseconds(&latencies, 0.99),
        histogramMicroseconds(&latencies, 0.999), per, per * userShare, per * (1 - userShare),
        cpu / 1e9 / seconds, clientShare,
        requests > 0 ? (double)(last->allocations - first->allocations) / requests : 0, last->serverRSS);
}

void runClosedOrRated(const struct options *options, const struct protocol *protocol) {
    int total = options->connections;
    poller = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc((size_t)total, sizeof *connections);
    if (poller < 0 || connections == NULL) fail("out of memory");
    prctl(PR_SET_TIMERSLACK, 1);
    for (int index = 0; index < total; index++) {
        struct connection *connection = &connections[index];
        openConnection(connection, protocol, options);
        connection->late = options->rate > 0 ? calloc(lateCapacity, sizeof(uint64_t)) : NULL;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event);
    }
    living = total;
    uint64_t start = now();
    uint64_t measureFrom = start + (uint64_t)(options->warmup * 1e9);
    uint64_t stop = measureFrom + (uint64_t)(options->seconds * 1e9);
    uint64_t sent = 0;
    bool measuring = false;
    struct sample first = {0};
    double interval = options->rate > 0 ? 1e9 / options->rate : 0;
    if (options->rate <= 0)
        for (int index = 0; index < total; index++) request(&connections[index], now(), options->pipeline);

    struct epoll_event events[256];
    while (living > 0) {
        uint64_t time = now();
        if (!measuring && time >= measureFrom) {
            measuring = true;
            answered = errors = dropped = 0;
            memset(&latencies, 0, sizeof latencies);
            first = takeSample(options, false);
        }
        if (time >= stop) break;
        struct timespec wait = {.tv_nsec = 100000000};
        if (options->rate > 0) {
            uint64_t due;
            while ((due = start + (uint64_t)((double)sent * interval)) <= time)
                requestLate(&connections[sent++ % (uint64_t)total], due);
            uint64_t left = due - time;
            if (left < 100000000) wait.tv_nsec = (long)left;
        }
        int count = epoll_pwait2(poller, events, 256, &wait, NULL);
        for (int index = 0; index < count; index++)
            handle(events[index].data.ptr, events[index].events, protocol, options);
    }
    if (!measuring) fail("every connection was lost before the measurement");
    struct sample last = takeSample(options, true);
    report(options, &first, &last);
    for (int index = 0; index < total; index++)
        if (connections[index].fd >= 0) closeHard(connections[index].fd);
}
