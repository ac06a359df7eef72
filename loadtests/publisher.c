/* RabbitMQ's load generator, the counterpart of `load closed`: persistent messages to one durable
 * queue over many connections, each with a bounded number of unconfirmed ones. One thread, one epoll
 * set. librabbitmq opens the connections; messages are bytes made once, and confirms are read from
 * the frames as AMQP 0-9-1 defines them, so that the generator costs as little as ours.
 * Usage: publisher PORT [--option VALUE]...; prints one line of JSON as `load` does. */
#define _GNU_SOURCE
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { frame_method = 1, frame_header = 2, frame_body = 3, frame_end = 0xCE, frame_extra = 8 };
enum { class_basic = 60, basic_publish = 40, basic_ack = 80 };
enum { frame_most = 131072, input_most = 1 << 16, burst_bytes = 1 << 17 };

struct settings {
  int port;
  long connections, outstanding, count, body;
  double seconds, limit;
  const char *queue, *type;
} settings = {0, 64, 1, 0, 1024, 0, 0, "batches", "classic"};

struct link {
  amqp_connection_state_t amqp;
  int fd, blocked;          /* blocked: the socket takes no more for now */
  uint64_t next, oldest;    /* delivery tags: the next one, the oldest unconfirmed one */
  uint64_t unsent;          /* bytes of the tags below `next` that are still to be written */
  uint64_t *sent_at;        /* by tag % outstanding; 0: confirmed */
  size_t held;
  unsigned char input[input_most];
};

static struct { char *bytes; size_t size, copies; } message;
static struct { uint32_t *us; size_t size, room; } latencies;
static uint64_t begun, confirmed, sent_bytes, last_confirm, ends_at;

static void die(const char *form, ...) {
  va_list more;
  va_start(more, form);
  vfprintf(stderr, form, more);
  fputc('\n', stderr);
  exit(2);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void read_command_line(int count, char **words) {
  struct { const char *name; long *whole; double *real; const char **text; } options[] = {
      {"--connections", &settings.connections, NULL, NULL},
      {"--outstanding", &settings.outstanding, NULL, NULL},
      {"--count", &settings.count, NULL, NULL},
      {"--body", &settings.body, NULL, NULL},
      {"--seconds", NULL, &settings.seconds, NULL},
      {"--limit", NULL, &settings.limit, NULL},
      {"--queue", NULL, NULL, &settings.queue},
      {"--type", NULL, NULL, &settings.type}};
  const size_t known = sizeof options / sizeof *options;
  if (count < 2 || count % 2 != 0) die("usage: publisher PORT [--option VALUE]...");
  settings.port = atoi(words[1]);
  for (int i = 2; i < count; i += 2) {
    size_t o = 0;
    while (o < known && strcmp(words[i], options[o].name) != 0) o++;
    if (o == known) die("what is %s", words[i]);
    if (options[o].whole) *options[o].whole = atol(words[i + 1]);
    if (options[o].real) *options[o].real = atof(words[i + 1]);
    if (options[o].text) *options[o].text = words[i + 1];
  }
  if (settings.seconds == 0 && settings.count == 0) settings.seconds = 5;
  if (settings.limit == 0) settings.limit = settings.seconds > 0 ? settings.seconds + 30 : 120;
  if (settings.connections < 1 || settings.outstanding < 1) die("0 makes no sense there");
}

/* --- the message ------------------------------------------------------------------------------ */
static char *put(char *at, const void *bytes, size_t size) { return memcpy(at, bytes, size), at + size; }
static char *put_8(char *at, unsigned n) { return *at = (char)n, at + 1; }
static char *put_16(char *at, unsigned n) { return put(at, &(uint16_t){htobe16(n)}, 2); }
static char *put_32(char *at, uint32_t n) { return put(at, &(uint32_t){htobe32(n)}, 4); }
static char *put_64(char *at, uint64_t n) { return put(at, &(uint64_t){htobe64(n)}, 8); }

static char *put_frame(char *at, int type, size_t size) {
  return put_32(put_16(put_8(at, type), 1), (uint32_t)size);
}

/* basic.publish to the queue by its name, properties with delivery mode 2, the body in frames. */
static char *put_message(char *at) {
  const size_t name = strlen(settings.queue), body = (size_t)settings.body;
  at = put_frame(at, frame_method, 2 + 2 + 2 + 1 + 1 + name + 1);
  at = put_16(put_16(put_16(at, class_basic), basic_publish), 0);
  at = put(put_8(put_8(at, 0), (unsigned)name), settings.queue, name);
  at = put_8(put_8(at, 0), frame_end);
  at = put_frame(at, frame_header, 2 + 2 + 8 + 2 + 1);
  at = put_16(put_64(put_16(put_16(at, class_basic), 0), body), 0x1000);
  at = put_8(put_8(at, 2), frame_end);
  for (size_t left = body; left > 0;) {
    const size_t part = left < frame_most - frame_extra ? left : frame_most - frame_extra;
    at = put_frame(at, frame_body, part);
    for (size_t i = 0; i < part; i++) at = put_8(at, 'a' + (unsigned)(i * 7 + i / 64) % 26);
    at = put_8(at, frame_end);
    left -= part;
  }
  return at;
}

/* As many copies in a row as one write may take. */
static void make_message(void) {
  const size_t room = (size_t)settings.body + 1024 + (size_t)settings.body / 1024;
  message.bytes = malloc(room);
  message.size = (size_t)(put_message(message.bytes) - message.bytes);
  message.copies = burst_bytes / message.size;
  if (message.copies > (size_t)settings.outstanding) message.copies = (size_t)settings.outstanding;
  if (message.copies == 0) message.copies = 1;
  message.bytes = realloc(message.bytes, message.size * message.copies);
  for (size_t i = 1; i < message.copies; i++)
    memcpy(message.bytes + i * message.size, message.bytes, message.size);
}

/* --- connections ------------------------------------------------------------------------------ */
static void check(struct link *l, const char *what) {
  const amqp_rpc_reply_t reply = amqp_get_rpc_reply(l->amqp);
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
  die("%s: %s", what, reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION
                          ? amqp_error_string2(reply.library_error) : "refused by the broker");
}

static void log_in(struct link *l) {
  l->amqp = amqp_new_connection();
  amqp_socket_t *socket = amqp_tcp_socket_new(l->amqp);
  if (amqp_socket_open(socket, "127.0.0.1", settings.port) != 0) die("no connection");
  amqp_login(l->amqp, "/", 0, frame_most, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
  amqp_channel_open(l->amqp, 1);
  check(l, "login");
  l->fd = amqp_get_sockfd(l->amqp);
}

static void open_link(struct link *l) {
  log_in(l);
  amqp_confirm_select(l->amqp, 1);
  check(l, "confirm.select");
  l->next = l->oldest = 1;
  l->sent_at = calloc((size_t)settings.outstanding, sizeof *l->sent_at);
}

/* Messages in the queue. An older queue of the name is gone first when `anew`. */
static unsigned declare(struct link *l, int anew) {
  amqp_table_entry_t entries[2];
  amqp_table_t table = {0, entries};
  const amqp_bytes_t name = amqp_cstring_bytes(settings.queue);
  const int quorum = strcmp(settings.type, "quorum") == 0;
  entries[0].key = amqp_cstring_bytes("x-queue-type");
  entries[0].value.kind = AMQP_FIELD_KIND_UTF8;
  entries[0].value.value.bytes = amqp_cstring_bytes(quorum ? "quorum" : "classic");
  entries[1].key = amqp_cstring_bytes("x-queue-version");
  entries[1].value.kind = AMQP_FIELD_KIND_I32;
  entries[1].value.value.i32 = 2;
  table.num_entries = strcmp(settings.type, "classic-v2") == 0 ? 2 : 1;
  if (anew) amqp_queue_delete(l->amqp, 1, name, 0, 0);
  const amqp_queue_declare_ok_t *told =
      amqp_queue_declare(l->amqp, 1, name, !anew, 1, 0, 0, table);
  check(l, "queue.declare");
  return told->message_count;
}

/* --- the exchange ----------------------------------------------------------------------------- */
static int more(void) {
  if (settings.count > 0 && begun >= (uint64_t)settings.count) return 0;
  return ends_at == 0 || now_ns() < ends_at;
}

static void flush(struct link *l) {
  while (l->unsent > 0 && !l->blocked) {
    const size_t past = (message.size - l->unsent % message.size) % message.size;
    size_t size = message.copies * message.size - past;
    if (size > l->unsent) size = l->unsent;
    const ssize_t n = send(l->fd, message.bytes + past, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) die("the broker closed a connection: %s", strerror(errno));
    if (n < (ssize_t)size) l->blocked = 1;
    if (n > 0) l->unsent -= (uint64_t)n, sent_bytes += (uint64_t)n;
  }
}

static void publish(struct link *l) {
  const uint64_t room = (uint64_t)settings.outstanding;
  while (l->next - l->oldest < room && more()) {
    l->sent_at[l->next++ % room] = now_ns();
    l->unsent += message.size;
    begun++;
  }
  flush(l);
}

static void settle(struct link *l, uint64_t tag, uint64_t now) {
  uint64_t *at = &l->sent_at[tag % (uint64_t)settings.outstanding];
  if (*at == 0) return;
  if (latencies.size == latencies.room) {
    latencies.room = latencies.room * 2 + 4096;
    latencies.us = realloc(latencies.us, latencies.room * sizeof *latencies.us);
  }
  latencies.us[latencies.size++] = (uint32_t)((now - *at) / 1000);
  *at = 0;
  confirmed++;
  last_confirm = now;
}

static void take_ack(struct link *l, const unsigned char *payload) {
  uint64_t tag;
  memcpy(&tag, payload + 4, 8);
  tag = be64toh(tag);
  const int multiple = payload[12] & 1;
  const uint64_t now = now_ns();
  if (tag < l->oldest || tag >= l->next) die("a confirm of what was not published");
  for (uint64_t t = multiple ? l->oldest : tag; t <= tag; t++) settle(l, t, now);
  while (l->oldest < l->next && l->sent_at[l->oldest % (uint64_t)settings.outstanding] == 0)
    l->oldest++;
}

/* The bytes of the frame that were taken; 0: it is not whole. Anything but a confirm is fatal. */
static size_t take_frame(struct link *l, const unsigned char *at, size_t size) {
  if (size < 7) return 0;
  const size_t whole = 7 + ((size_t)at[3] << 24 | at[4] << 16 | at[5] << 8 | at[6]) + 1;
  if (whole > sizeof l->input) die("a frame of %zu bytes", whole);
  if (size < whole) return 0;
  const unsigned char *payload = at + 7;
  if (at[0] != frame_method || payload[1] != class_basic || payload[3] != basic_ack)
    die("the broker sent frame %d, method %d.%d", at[0], payload[0] << 8 | payload[1],
        payload[2] << 8 | payload[3]);
  take_ack(l, payload);
  return whole;
}

/* True: the socket may hold more. */
static int take_input(struct link *l) {
  const size_t room = sizeof l->input - l->held;
  const ssize_t n = recv(l->fd, l->input + l->held, room, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return 0;
  if (n <= 0) die("the broker closed a connection");
  l->held += (size_t)n;
  size_t at = 0;
  for (size_t taken = 1; taken > 0; at += taken)
    taken = take_frame(l, l->input + at, l->held - at);
  memmove(l->input, l->input + at, l->held -= at);
  return (size_t)n == room;
}

static void run(struct link *links) {
  struct epoll_event events[256];
  const int set = epoll_create1(0);
  for (long i = 0; i < settings.connections; i++) {
    struct epoll_event e = {EPOLLIN | EPOLLOUT | EPOLLET, {.ptr = &links[i]}};
    if (epoll_ctl(set, EPOLL_CTL_ADD, links[i].fd, &e) != 0) die("epoll");
  }
  const uint64_t start = now_ns(), limit = start + (uint64_t)(settings.limit * 1e9);
  if (settings.seconds > 0) ends_at = start + (uint64_t)(settings.seconds * 1e9);
  while ((confirmed < begun || more()) && now_ns() < limit) {
    const int n = epoll_wait(set, events, 256, 100);
    for (int i = 0; i < n; i++) {
      struct link *l = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) l->blocked = 0;
      while (events[i].events & ~EPOLLOUT && take_input(l)) continue;
      publish(l);
    }
  }
  if (last_confirm > start) last_confirm -= start;
}

static int ascending(const void *a, const void *b) {
  return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : *(const uint32_t *)a > *(const uint32_t *)b;
}

static double quantile(double q) {
  if (latencies.size == 0) return 0;
  const size_t i = (size_t)(q * (double)latencies.size);
  return latencies.us[i < latencies.size ? i : latencies.size - 1];
}

static void print(unsigned queued) {
  const double seconds = (double)last_confirm / 1e9;
  qsort(latencies.us, latencies.size, sizeof *latencies.us, ascending);
  printf("{\"requests\": %lu, \"connections\": %ld, \"errors\": {", confirmed, settings.connections);
  if (confirmed < begun) printf("\"timeout\": %lu", begun - confirmed);
  printf("}, \"seconds\": %.6f, \"rate\": %.1f, \"latency_us\": {\"p50\": %.0f, \"p90\": %.0f, "
         "\"p99\": %.0f, \"p999\": %.0f, \"max\": %.0f, \"count\": %zu}, ",
         seconds, seconds > 0 ? (double)confirmed / seconds : 0, quantile(0.5), quantile(0.9),
         quantile(0.99), quantile(0.999), quantile(1), latencies.size);
  printf("\"sent\": %lu, \"queued\": %u}\n", sent_bytes, queued);
}

int main(int count, char **words) {
  read_command_line(count, words);
  make_message();
  struct link *links = calloc((size_t)settings.connections + 1, sizeof *links);
  struct link *asking = &links[settings.connections];
  log_in(asking);
  declare(asking, 1);
  for (long i = 0; i < settings.connections; i++) open_link(&links[i]);
  run(links);
  print(declare(asking, 0));
  return confirmed < begun || confirmed == 0;
}
