// Counts the allocations of a program that is started with LD_PRELOAD=allocations.so.
//
// malloc and similar functions are defined here and call those of glibc. The counters are in a static page, or in the
// file that ALLOCATION_COUNTERS names, where another process can read them while the program runs. A program reads its own
// counters with `allocation_counters`.
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

struct counters {
    uint64_t allocations;  // malloc, calloc, realloc, and the aligned ones
    uint64_t frees;
    uint64_t bytes;        // requested in total
};

static struct counters ownCounters;
static struct counters *counters = &ownCounters;

uint64_t *allocation_counters(void) { return &counters->allocations; }

__attribute__((constructor)) static void shareCounters(void) {
    const char *name = getenv("ALLOCATION_COUNTERS");
    if (name == NULL) return;
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    if (ftruncate(fd, 4096) == 0) {
        void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page != MAP_FAILED) counters = page;
    }
    close(fd);
}

static void count(size_t size) {
    __atomic_fetch_add(&counters->allocations, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counters->bytes, size, __ATOMIC_RELAXED);
}

void *malloc(size_t size) {
    count(size);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count(number * size);
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    count(size);
    return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
    count(size);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0)
        return EINVAL;
    void *memory = memalign(alignment, size);
    if (memory == NULL) return ENOMEM;
    *result = memory;
    return 0;
}

void free(void *memory) {
    if (memory != NULL) __atomic_fetch_add(&counters->frees, 1, __ATOMIC_RELAXED);
    __libc_free(memory);
}
