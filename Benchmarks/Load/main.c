// load MODE --port P --path /… [options] prints one line of JSON.
//
//   http     keep-alive requests: --pipeline N, --browser 1, --post BYTES, --status N, --body BYTES
//   ws       echo of --size bytes, --binary 1, --deflate 1
//   publish  --connections sockets at --path, then GET /bcast; counts the deliveries
//   idle     --connections sockets at --path, one echo each, then held for --seconds; memory of --pid
//            before and after
//
// All: --connections N --seconds S --warmup S --rate N (0: closed loop) --pid SERVER
// --allocations FILE. Loopback only, one thread, bounded in time and in connections.
#define _GNU_SOURCE
#include "load.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void set(struct options *options, const char *name, const char *value) {
    if (strcmp(name, "--port") == 0) options->port = atoi(value);
    else if (strcmp(name, "--path") == 0) options->path = value;
    else if (strcmp(name, "--connections") == 0) options->connections = atoi(value);
    else if (strcmp(name, "--pipeline") == 0) options->pipeline = atoi(value);
    else if (strcmp(name, "--seconds") == 0) options->seconds = atof(value);
    else if (strcmp(name, "--warmup") == 0) options->warmup = atof(value);
    else if (strcmp(name, "--rate") == 0) options->rate = atof(value);
    else if (strcmp(name, "--size") == 0) options->size = strtoull(value, NULL, 10);
    else if (strcmp(name, "--post") == 0) options->post = true, options->size = strtoull(value, NULL, 10);
    else if (strcmp(name, "--browser") == 0) options->browser = atoi(value) != 0;
    else if (strcmp(name, "--binary") == 0) options->binary = atoi(value) != 0;
    else if (strcmp(name, "--deflate") == 0) options->deflate = atoi(value) != 0;
    else if (strcmp(name, "--status") == 0) options->expectStatus = atoi(value);
    else if (strcmp(name, "--body") == 0) options->expectBody = atol(value);
    else if (strcmp(name, "--pid") == 0) options->server = atoi(value);
    else if (strcmp(name, "--allocations") == 0) options->allocations = value;
    else fail("unknown option %s", name);
}

static void check(const struct options *options) {
    if (options->port < 1 || options->port > 65535) fail("--port is missing");
    if (options->path[0] != '/' || strlen(options->path) > 512) fail("--path");
    if (options->connections < 1 || options->connections > maximumConnections) fail("--connections");
    if (options->pipeline < 1 || options->pipeline > maximumPipeline) fail("--pipeline");
    if (options->seconds <= 0 || options->seconds + options->warmup > maximumSeconds) fail("--seconds");
    if (options->size > (64u << 20)) fail("--size");
    if (options->rate > 0 && options->pipeline > 1) fail("--rate goes without --pipeline");
}

int main(int count, char **arguments) {
    if (count < 2 || count % 2 != 0) fail("load MODE [--option value]…");
    struct options options = {
        .mode = arguments[1], .path = "/", .connections = 64, .pipeline = 1, .seconds = 2, .warmup = 0.5,
        .size = 20, .expectStatus = 200, .expectBody = -1,
    };
    for (int index = 2; index + 1 < count; index += 2) set(&options, arguments[index], arguments[index + 1]);
    check(&options);
    signal(SIGPIPE, SIG_IGN);
    alarm(maximumSeconds + 60);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (strcmp(options.mode, "http") == 0) runClosedOrRated(&options, &httpProtocol);
    else if (strcmp(options.mode, "ws") == 0) runClosedOrRated(&options, &webSocketProtocol);
    else if (strcmp(options.mode, "publish") == 0) runPublish(&options);
    else if (strcmp(options.mode, "idle") == 0) runIdle(&options);
    else fail("unknown mode %s", options.mode);
    return 0;
}
