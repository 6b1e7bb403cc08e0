/* The least that any RTR cache must spend on a change: what it says lies in memory, and is sent by as few calls as can be.
 *
 *     raw_notifier PORT FULL FULL DIFF DIFF
 *
 * The files are what a cache answers in each of two states: to a Reset Query, and to a Serial Query of a router that has
 * the other state. A line on the standard input is a change to the other state: the serial goes on by one, and all who
 * are connected get a Serial Notify. One thread does it all.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 65536
#define EVENTS 256
#define SERIAL_QUERY 1
#define SERIAL_FROM_END 16 /* where the serial is in an answer: End of Data is its last 24 octets */

struct answer {
    char *octets;
    size_t length;
};

static struct answer full[2], diff[2];
static struct {
    const struct answer *answer;
    size_t left; /* octets of it that are still to be sent */
} clients[CLIENTS]; /* by descriptor */
static char connected[CLIENTS];
static int epoll, state, highest;
static unsigned serial;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static struct answer load(const char *name) {
    struct answer loaded;
    FILE *file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        fail(name);
    loaded.length = (size_t)ftell(file);
    rewind(file);
    loaded.octets = malloc(loaded.length);
    if (!loaded.octets || fread(loaded.octets, 1, loaded.length, file) != loaded.length)
        fail(name);
    fclose(file);
    return loaded;
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

static void watch(int operation, int descriptor, unsigned events) {
    struct epoll_event event = {.events = events, .data.fd = descriptor};
    if (epoll_ctl(epoll, operation, descriptor, &event))
        fail("epoll_ctl");
}

static void number(struct answer *answer) {
    unsigned now = htonl(serial);
    memcpy(answer->octets + answer->length - SERIAL_FROM_END, &now, sizeof now);
}

static void change(void) {
    char line[64];
    unsigned char notify[12] = {1, 0, (unsigned char)full[0].octets[2], (unsigned char)full[0].octets[3], [7] = 12};
    if (read(0, line, sizeof line) <= 0)
        exit(0);
    state = !state;
    serial++;
    number(&full[state]);
    number(&diff[state]);
    memcpy(notify + 8, diff[state].octets + diff[state].length - SERIAL_FROM_END, 4);
    for (int client = 0; client <= highest; client++)
        if (connected[client])
            send(client, notify, sizeof notify, MSG_NOSIGNAL);
}

static void let_go(int client) {
    connected[client] = 0;
    close(client);
}

/* Write what the kernel takes; the rest when it has room. */
static void go_on(int client, int waited) {
    const struct answer *answer = clients[client].answer;
    while (clients[client].left) {
        ssize_t taken = send(client, answer->octets + (answer->length - clients[client].left), clients[client].left,
                             MSG_NOSIGNAL);
        if (taken < 0 && errno != EAGAIN)
            return let_go(client);
        if (taken < 0) {
            if (!waited)
                watch(EPOLL_CTL_MOD, client, EPOLLOUT);
            return;
        }
        clients[client].left -= (size_t)taken;
    }
    if (waited)
        watch(EPOLL_CTL_MOD, client, EPOLLIN);
}

static void hear(int client) {
    char query[256];
    ssize_t heard = recv(client, query, sizeof query, 0);
    if (heard <= 0)
        return let_go(client);
    clients[client].answer = &(query[1] == SERIAL_QUERY ? diff : full)[state];
    clients[client].left = clients[client].answer->length;
    go_on(client, 0);
}

static void let_in(int door) {
    int on = 1, client = accept4(door, NULL, NULL, SOCK_NONBLOCK);
    if (client < 0)
        return;
    if (client >= CLIENTS) {
        close(client);
        return;
    }
    connected[client] = 1;
    clients[client].left = 0;
    highest = client > highest ? client : highest;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(EPOLL_CTL_ADD, client, EPOLLIN);
}

int main(int count, char **words) {
    struct epoll_event events[EVENTS];
    if (count != 6)
        return 2;
    for (int each = 0; each < 2; each++) {
        full[each] = load(words[2 + each]);
        diff[each] = load(words[4 + each]);
    }
    epoll = epoll_create1(0);
    int door = listening(atoi(words[1]));
    watch(EPOLL_CTL_ADD, door, EPOLLIN);
    watch(EPOLL_CTL_ADD, 0, EPOLLIN);
    number(&full[state]);
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int each = 0; each < ready; each++) {
            int who = events[each].data.fd;
            if (who == door)
                let_in(door);
            else if (who == 0)
                change();
            else if (clients[who].left)
                go_on(who, 1);
            else
                hear(who);
        }
    }
}
