// Time, histogram, accounting, sockets.
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint64_t clockNanoseconds(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) return 0;
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t now(void) { return clockNanoseconds(CLOCK_MONOTONIC); }

static unsigned bucket(uint64_t value) {
    if (value < 64) return (unsigned)value;
    unsigned power = 63u - (unsigned)__builtin_clzll(value);
    return (power - 5) * 64 + (unsigned)((value >> (power - 6)) & 63);
}

void histogramAdd(struct histogram *histogram, uint64_t nanoseconds) {
    histogram->counts[bucket(nanoseconds)] += 1;
    histogram->total += 1;
}

double histogramMicroseconds(const struct histogram *histogram, double quantile) {
    uint64_t wanted = (uint64_t)((double)histogram->total * quantile);
    uint64_t seen = 0;
    for (unsigned index = 0; index < 64 * 64; index++) {
        seen += histogram->counts[index];
        if (seen <= wanted) continue;
        if (index < 64) return index / 1e3;
        unsigned power = index / 64 + 5;
        return (double)(((uint64_t)(64 + index % 64)) << (power - 6)) / 1e3;
    }
    return 0;
}

// User and system time have a resolution of 10 ms, which is enough for their ratio. The sum comes from the process's CPU
// clock, which has a resolution of nanoseconds and includes threads that have ended.
static void sampleServer(pid_t pid, struct sample *sample) {
    clockid_t clock;
    if (clock_getcpuclockid(pid, &clock) == 0) sample->serverCPU = clockNanoseconds(clock);
    char name[64], text[1024];
    snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(name, "r");
    if (file == NULL) return;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    const char *rest = strrchr(text, ')');
    unsigned long user, system;
    if (rest != NULL
        && sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2) {
        double tick = (double)sysconf(_SC_CLK_TCK);
        sample->serverUser = (double)user / tick;
        sample->serverSystem = (double)system / tick;
    }
}

static void sampleMemory(pid_t pid, struct sample *sample) {
    char name[64], line[256];
    snprintf(name, sizeof name, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(name, "r");
    if (file == NULL) return;
    while (fgets(line, sizeof line, file) != NULL) {
        sscanf(line, "Rss: %ld", &sample->serverRSS);
        sscanf(line, "Anonymous: %ld", &sample->serverAnonymous);
    }
    fclose(file);
}

static uint64_t sampleAllocations(const char *name) {
    static const volatile uint64_t *counters;
    if (counters == NULL) {
        int fd = open(name, O_RDONLY);
        if (fd < 0) return 0;
        void *mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
        if (mapped == MAP_FAILED) return 0;
        counters = mapped;
    }
    return counters[0];
}

struct sample takeSample(const struct options *options, bool withMemory) {
    struct sample sample = {0};
    if (options->server > 0) {
        sampleServer(options->server, &sample);
        if (withMemory) sampleMemory(options->server, &sample);
    }
    if (options->allocations != NULL) sample.allocations = sampleAllocations(options->allocations);
    sample.clientCPU = clockNanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    sample.at = now();
    return sample;
}

int connectTo(const struct options *options) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket: %s", strerror(errno));
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct timeval patience = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)options->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect to port %d: %s", options->port, strerror(errno));
    return fd;
}

void makeNonBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

// Avoids TIME_WAIT, so that repeated runs find free ports.
void closeHard(int fd) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

void openConnection(
    struct connection *connection, const struct protocol *protocol, const struct options *options) {
    memset(connection, 0, sizeof *connection);
    connection->fd = connectTo(options);
    connection->capacity = 65536 + 2 * (options->post ? 0 : options->size);
    connection->bytes = malloc(connection->capacity);
    if (connection->bytes == NULL) fail("out of memory");
    protocol->open(connection, options);
    makeNonBlocking(connection->fd);
}

ssize_t receive(struct connection *connection) {
    size_t room = connection->capacity - connection->have;
    ssize_t count = recv(connection->fd, connection->bytes + connection->have, room, 0);
    if (count > 0) connection->have += (size_t)count;
    return count;
}

void consume(struct connection *connection, size_t count) {
    connection->have -= count;
    if (connection->have > 0) memmove(connection->bytes, connection->bytes + count, connection->have);
}
