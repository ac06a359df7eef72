/* The floor: a relay that parses nothing. One thread, one epoll set; each client connection gets one
 * of its own to the workers in turn, and bytes go both ways through one 64 KiB buffer. Nobody who
 * looks at the bytes can be cheaper. Usage: floor WORKER_PORT...; prints its own port. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct side { int fd; struct side *peer, *next; char *held; size_t from, size; };
static char buffer[1 << 16];
static struct side *dead; /* freed after the events at hand, which may still name them */
static int set;

static struct side *watch(int fd) {
  struct side *s = calloc(1, sizeof *s);
  struct epoll_event e = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.ptr = s}};
  s->fd = fd;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) != 0) exit(2);
  return s;
}

static void join(int client, int port) {
  struct sockaddr_in at = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
  int worker = socket(AF_INET, SOCK_STREAM, 0);
  if (worker < 0 || connect(worker, (struct sockaddr *)&at, sizeof at) != 0) exit(2);
  struct side *a = watch(client), *b = watch(worker);
  a->peer = b, b->peer = a;
}

static void part(struct side *s) {
  close(s->fd), close(s->peer->fd);
  s->fd = s->peer->fd = -1;
  s->next = dead, dead = s;
}

/* Sends what is held back for `to`. True: nothing is left. */
static int flush(struct side *to) {
  while (to->from < to->size) {
    ssize_t n = send(to->fd, to->held + to->from, to->size - to->from, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n <= 0) return 0;
    to->from += n;
  }
  free(to->held), to->held = NULL, to->from = to->size = 0;
  return 1;
}

/* From one side to the other, until it is drained, ends, or the other takes no more. */
static void relay(struct side *s, int ending) {
  struct side *to = s->peer;
  while (s->fd >= 0 && flush(to)) {
    ssize_t n = recv(s->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) part(s);
    if (n <= 0) return;
    ssize_t sent = send(to->fd, buffer, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) sent = 0;
    if (sent < n) to->size = n - sent, to->held = memcpy(malloc(to->size), buffer + sent, to->size);
    else if (n < (ssize_t)sizeof buffer && !ending) return; /* drained, so the next byte is an event */
  }
}

int main(int count, char **ports) {
  struct sockaddr_in at = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
  socklen_t size = sizeof at;
  struct epoll_event events[256], accepting = {EPOLLIN, {.ptr = NULL}};
  int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), turn = 0, client;
  set = epoll_create1(0);
  if (bind(door, (struct sockaddr *)&at, size) != 0 || listen(door, 4096) != 0) return 2;
  getsockname(door, (struct sockaddr *)&at, &size);
  epoll_ctl(set, EPOLL_CTL_ADD, door, &accepting);
  printf("%d\n", ntohs(at.sin_port)), fflush(stdout);
  for (;;) {
    int n = epoll_wait(set, events, 256, -1);
    for (int i = 0; i < n; i++) {
      struct side *s = events[i].data.ptr;
      while (!s && (client = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0)
        join(client, atoi(ports[1 + turn++ % (count - 1)]));
      if (s && events[i].events & ~EPOLLOUT) relay(s, events[i].events & (EPOLLRDHUP | EPOLLHUP));
      if (s && s->fd >= 0 && events[i].events & EPOLLOUT && s->held) relay(s->peer, 1);
    }
    for (struct side *s; (s = dead); free(s->peer->held), free(s->peer), free(s->held), free(s))
      dead = s->next;
  }
}
