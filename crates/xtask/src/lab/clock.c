/* Loaded into a program of the laboratory (LD_PRELOAD): from a moment that a shared file names its clock runs faster, by the
   factor that stands there. Without LAB_CLOCK_TIMERS only the time of day does, with it waiting gets shorter, too. Loopback
   experiments only. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef long long ns_t;

struct law { volatile ns_t from; volatile ns_t factor; };

static const struct law *law;
static int timers;
static ns_t steady_from;
static int (*real_clock)(clockid_t, struct timespec *);
static int (*real_epoll)(int, struct epoll_event *, int, int);
static long (*real_syscall)(long, ...);

static ns_t read_clock(clockid_t id) {
    struct timespec t;
    real_clock(id, &t);
    return (ns_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void prepare(void) {
    if (real_clock) return;
    real_epoll = dlsym(RTLD_NEXT, "epoll_wait");
    real_syscall = dlsym(RTLD_NEXT, "syscall");
    real_clock = dlsym(RTLD_NEXT, "clock_gettime");
}

__attribute__((constructor)) static void begin(void) {
    prepare();
    const char *path = getenv("LAB_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *map = mmap(0, sizeof(struct law), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (map == MAP_FAILED) return;
    steady_from = read_clock(CLOCK_MONOTONIC);
    timers = getenv("LAB_CLOCK_TIMERS") != 0;
    law = map;
}

static ns_t factor(void) { return law && law->factor > 1 ? law->factor : 1; }

static ns_t hasten(ns_t now, ns_t from) { return now > from ? from + (now - from) * factor() : now; }

int clock_gettime(clockid_t id, struct timespec *t) {
    prepare();
    int done = real_clock(id, t);
    if (done != 0 || factor() == 1) return done;
    ns_t from;
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) from = law->from;
    else if (timers && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME)) from = steady_from;
    else return 0;
    ns_t now = hasten((ns_t)t->tv_sec * 1000000000 + t->tv_nsec, from);
    t->tv_sec = now / 1000000000;
    t->tv_nsec = now % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}

int epoll_wait(int file, struct epoll_event *events, int most, int wait) {
    prepare();
    if (timers && wait > 0) wait = (int)((wait + factor() - 1) / factor());
    return real_epoll(file, events, most, wait);
}

/* Rust's standard library and parking_lot wait on futexes by this way: for a time, or until a moment of the steady clock. */
long syscall(long number, ...) {
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    prepare();
    struct timespec shorter;
    int operation = (int)a[1] & FUTEX_CMD_MASK;
    if (number == SYS_futex && timers && factor() > 1 && a[3] && (operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET)) {
        const struct timespec *wait = (const struct timespec *)a[3];
        ns_t time = (ns_t)wait->tv_sec * 1000000000 + wait->tv_nsec;
        if (operation == FUTEX_WAIT) time /= factor();
        else if (time > steady_from) time = steady_from + (time - steady_from) / factor();
        shorter.tv_sec = time / 1000000000;
        shorter.tv_nsec = time % 1000000000;
        a[3] = (long)&shorter;
    }
    return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
