/* Many RTR routers in one process, as light as they can be, for they share the processors with the cache.
 *
 *     many_routers PORT COUNT PATIENCE
 *
 * They connect, some at a time, fetch everything in version 1, and say "ready". Then each answers a Serial Notify with
 * the same Serial Query and reads on until its End of Data. After each change that all have seen there is a line of
 * hexadecimal digits: what all of them were told, the same octets for each; and a line of the seconds of CLOCK_MONOTONIC
 * at which the first was notified and at which each had its End of Data. PATIENCE is in seconds.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define VERSION 1
#define SERIAL_NOTIFY 0
#define SERIAL_QUERY 1
#define RESET_QUERY 2
#define END_OF_DATA 7
#define END_LENGTH 24
#define NOTIFY_LENGTH 12
#define AT_ONCE 32 /* connections that are made before they are served: who listens has a queue of some length */
#define EVENTS 256
#define ROOM 65536 /* octets that the answer to a Serial Query may have */

struct router {
    int descriptor;
    int notified;
    size_t used;
    unsigned char heard[ROOM];
};

static struct router *routers;
static int count, epoll, patience;

static void fail(const char *what) {
    printf("failed: %s\n", what);
    exit(1);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void say(struct router *router, const void *octets, size_t length) {
    if (send(router->descriptor, octets, length, MSG_NOSIGNAL) != (ssize_t)length)
        fail("the cache hung up");
}

/* Read what is there, into the room that is left. */
static void hear(struct router *router) {
    ssize_t heard = recv(router->descriptor, router->heard + router->used, ROOM - router->used, MSG_DONTWAIT);
    if (heard <= 0)
        fail(router->used == ROOM ? "an answer is too long" : "the cache hung up");
    router->used += (size_t)heard;
}

static int ends(const struct router *router) {
    static const unsigned char length[4] = {0, 0, 0, END_LENGTH};
    const unsigned char *end = router->heard + router->used - END_LENGTH;
    return router->used >= END_LENGTH && end[1] == END_OF_DATA && !memcmp(end + 4, length, sizeof length);
}

static int ready(struct epoll_event *events) {
    int found = epoll_wait(epoll, events, EVENTS, patience * 1000);
    if (found <= 0)
        fail("nothing came in time");
    return found;
}

static void begin(struct router *router, int port) {
    static const unsigned char query[8] = {VERSION, RESET_QUERY, 0, 0, 0, 0, 0, 8};
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = router};
    int on = 1;
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    router->descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (router->descriptor < 0 || connect(router->descriptor, (struct sockaddr *)&there, sizeof there))
        fail("no connection");
    setsockopt(router->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, router->descriptor, &event))
        fail("epoll");
    say(router, query, sizeof query);
}

/* Fetch everything, of which only the end is kept: it comes last. */
static void synchronise(int first, int many, int port) {
    struct epoll_event events[EVENTS];
    int waiting = many;
    for (int each = first; each < first + many; each++)
        begin(&routers[each], port);
    while (waiting) {
        int found = ready(events);
        for (int each = 0; each < found; each++) {
            struct router *router = events[each].data.ptr;
            hear(router);
            waiting -= ends(router);
            if (router->used > END_LENGTH) {
                memmove(router->heard, router->heard + router->used - END_LENGTH, END_LENGTH);
                router->used = END_LENGTH;
            }
        }
    }
}

/* The Serial Query for what comes after the answer that ends like this; the answer is forgotten. */
static void ask_after(struct router *router, unsigned char *query) {
    const unsigned char *end = router->heard + router->used - END_LENGTH;
    memcpy(query, (unsigned char[]){VERSION, SERIAL_QUERY, end[2], end[3], 0, 0, 0, 12}, 8);
    memcpy(query + 8, end + 8, 4);
}

/* One change: from the first notify of any router to the last End of Data of all. */
static void follow(const unsigned char *query, double *times) {
    struct epoll_event events[EVENTS];
    int ended = 0, notified = 0;
    for (int each = 0; each < count; each++)
        routers[each].used = (size_t)(routers[each].notified = 0);
    while (ended < count) {
        int found = ready(events);
        for (int each = 0; each < found; each++) {
            struct router *router = events[each].data.ptr;
            hear(router);
            if (router->notified) {
                if (ends(router))
                    times[++ended] = seconds();
                continue;
            }
            if (!notified++)
                times[0] = seconds();
            if (router->used != NOTIFY_LENGTH || router->heard[1] != SERIAL_NOTIFY)
                fail("not a Serial Notify");
            router->used = 0;
            router->notified = 1;
            say(router, query, 12);
        }
    }
}

static void tell(const double *times) {
    const struct router *first = &routers[0];
    for (int each = 1; each < count; each++)
        if (routers[each].used != first->used || memcmp(routers[each].heard, first->heard, first->used))
            fail("different answers");
    for (size_t octet = 0; octet < first->used; octet++)
        printf("%02x", first->heard[octet]);
    for (int each = 0; each <= count; each++)
        printf("%c%.9f", each ? ' ' : '\n', times[each]);
    printf("\n");
    fflush(stdout);
}

int main(int words, char **word) {
    if (words != 4)
        return 2;
    int port = atoi(word[1]);
    count = atoi(word[2]);
    patience = atoi(word[3]);
    routers = calloc((size_t)count, sizeof *routers);
    double *times = calloc((size_t)count + 1, sizeof *times);
    epoll = epoll_create1(0);
    if (count < 1 || !routers || !times || epoll < 0)
        return 2;
    for (int first = 0; first < count; first += AT_ONCE)
        synchronise(first, count - first < AT_ONCE ? count - first : AT_ONCE, port);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        unsigned char query[12];
        ask_after(&routers[count - 1], query);
        follow(query, times);
        tell(times);
    }
}
