/* The least that any RTR cache must spend: one answer from memory to whoever asks, by as few calls as there can be.
 *
 *     raw_sender PORT FILE
 *
 * One thread waits for all connections. Whatever a client sends is a query, and the contents of the file are the
 * answer; they are written as far as the kernel takes them, and further when it has room.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 65536
#define EVENTS 256

static char *answer;
static size_t length;
static size_t left[CLIENTS]; /* octets that each client, by its descriptor, is still to get */

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void load(const char *name) {
    FILE *file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        fail(name);
    length = (size_t)ftell(file);
    rewind(file);
    answer = malloc(length);
    if (!answer || fread(answer, 1, length, file) != length)
        fail(name);
    fclose(file);
}

static int listening(int port) {
    int on = 1, descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(descriptor, (struct sockaddr *)&here, sizeof here) || listen(descriptor, 1024))
        fail("listen");
    return descriptor;
}

static void watch(int epoll, int operation, int descriptor, unsigned events) {
    struct epoll_event event = {.events = events, .data.fd = descriptor};
    if (epoll_ctl(epoll, operation, descriptor, &event))
        fail("epoll_ctl");
}

/* Write what the kernel takes; whether the client is still there. */
static int go_on(int epoll, int client) {
    while (left[client]) {
        ssize_t taken = send(client, answer + (length - left[client]), left[client], MSG_NOSIGNAL);
        if (taken < 0)
            return errno == EAGAIN;
        left[client] -= (size_t)taken;
    }
    watch(epoll, EPOLL_CTL_MOD, client, EPOLLIN);
    return 1;
}

static int hear(int epoll, int client) {
    char query[256];
    ssize_t heard = read(client, query, sizeof query);
    if (heard <= 0)
        return heard < 0 && errno == EAGAIN;
    left[client] = length;
    watch(epoll, EPOLL_CTL_MOD, client, EPOLLOUT);
    return go_on(epoll, client);
}

int main(int count, char **words) {
    struct epoll_event events[EVENTS];
    int epoll = epoll_create1(0), door, on = 1;
    if (count != 3)
        return 2;
    load(words[2]);
    door = listening(atoi(words[1]));
    watch(epoll, EPOLL_CTL_ADD, door, EPOLLIN);
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int each = 0; each < ready; each++) {
            int who = events[each].data.fd;
            if (who == door) {
                int client = accept4(door, NULL, NULL, SOCK_NONBLOCK);
                if (client >= CLIENTS)
                    close(client);
                else if (client >= 0) {
                    left[client] = 0;
                    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                    watch(epoll, EPOLL_CTL_ADD, client, EPOLLIN);
                }
            } else if (!(left[who] ? go_on(epoll, who) : hear(epoll, who)))
                close(who);
        }
    }
}
