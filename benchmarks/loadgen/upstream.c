/* A chat completion server with known timings, cheaper than any client it measures.
 *
 *   upstream PORT TTFT_US GAP_US LOG
 *
 * Every answer streams max_tokens (or max_completion_tokens) chunks: the first TTFT_US after the request was read,
 * the next ones GAP_US apart, on an absolute schedule (one late write does not move the next). PORT 0: any; the port
 * is printed. On SIGTERM the log is written: one line a request, "received first last end n gaps…", times in
 * microseconds of CLOCK_MONOTONIC as the writes were made. GET answers /v1/models, /health and the like.
 * GAP_US 0: all chunks at once, one write each.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_FD 16384
#define IN_SIZE (1 << 18)

typedef struct {
  int used, sending, total, next;
  int64_t received, base;
  size_t have;
  char *in;
  struct request *log;
} connection;

typedef struct request {
  int64_t received, end;
  int n;
  int64_t *at;
  struct request *older;
} request;

static connection all[MAX_FD];
static int heap[MAX_FD], heap_n, heap_at[MAX_FD];
static int64_t ttft, gap;
static struct request *newest;
static volatile sig_atomic_t stopping;
static int epoll_fd, timer_fd;

static const char HEAD[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
static const char ROLE[] =
    "data: {\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":"
    "\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,"
    "\"finish_reason\":null}]}\n\n";
static const char CHUNK[] =
    "data: {\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":"
    "\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
static const char LAST[] =
    "data: {\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":"
    "\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"logprobs\":null,\"finish_reason\":\"length\"}]}\n\n";

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A binary heap of the connections that are sending, by the time of their next chunk. */
static int64_t due(int fd) { return all[fd].base + all[fd].next * gap; }

static void place(int k, int fd) { heap[k] = fd, heap_at[fd] = k; }

static void sift(int k) {
  int fd = heap[k];
  while (k && due(heap[(k - 1) / 2]) > due(fd)) place(k, heap[(k - 1) / 2]), k = (k - 1) / 2;
  for (int c; (c = 2 * k + 1) < heap_n; k = c) {
    if (c + 1 < heap_n && due(heap[c + 1]) < due(heap[c])) c++;
    if (due(heap[c]) >= due(fd)) break;
    place(k, heap[c]);
  }
  place(k, fd);
}

static void heap_add(int fd) { heap[heap_n] = fd, heap_at[fd] = heap_n, sift(heap_n++); }

static void heap_drop(int fd) {
  int k = heap_at[fd];
  if (--heap_n > k) {
    place(k, heap[heap_n]);
    sift(k);
    sift(heap_at[heap[k]]);
  }
}

static void leave(int fd) {
  if (all[fd].sending) heap_drop(fd);
  free(all[fd].in);
  memset(&all[fd], 0, sizeof all[fd]);
  close(fd);
}

static int event(char *out, const char *text, size_t n) {
  int head = sprintf(out, "%zx\r\n", n);
  memcpy(out + head, text, n);
  memcpy(out + head + n, "\r\n", 2);
  return head + (int)n + 2;
}

static int put(int fd, const char *data, size_t n) {
  while (n) {
    ssize_t k = send(fd, data, n, MSG_NOSIGNAL);
    if (k < 0 && errno == EAGAIN) { usleep(50); continue; }
    if (k <= 0) return -1;
    data += k, n -= (size_t)k;
  }
  return 0;
}

static void answer_plain(int fd, const char *body) {
  char out[1024];
  int n = sprintf(out, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s",
                  strlen(body), body);
  put(fd, out, (size_t)n);
}

static int number_after(const char *in, const char *name) {
  const char *at = strstr(in, name);
  if (!at) return 0;
  for (at += strlen(name); *at == ' ' || *at == ':' || *at == '"'; at++) {}
  return atoi(at);
}

static void begin(int fd, const char *body) {
  connection *c = &all[fd];
  int n = number_after(body, "\"max_completion_tokens\"");
  if (!n) n = number_after(body, "\"max_tokens\"");
  if (n < 1) n = 1;
  c->total = n, c->next = 0, c->sending = 1, c->received = now_us(), c->base = c->received + ttft;
  request *r = malloc(sizeof *r);
  *r = (request){c->received, 0, 0, malloc(sizeof(int64_t) * (size_t)n), newest};
  newest = c->log = r;
  char out[1024];
  int k = sprintf(out, "%s", HEAD);
  k += event(out + k, ROLE, sizeof ROLE - 1);
  put(fd, out, (size_t)k);
  heap_add(fd);
}

static void step(int fd) {
  connection *c = &all[fd];
  char out[2048];
  int k = event(out, CHUNK, sizeof CHUNK - 1);
  int last = ++c->next >= c->total;
  c->log->at[c->log->n++] = now_us();
  if (put(fd, out, (size_t)k) < 0) { leave(fd); return; }
  if (!last) { sift(heap_at[fd]); return; }
  heap_drop(fd);
  c->sending = 0;
  char usage[256];
  int u = sprintf(usage,
                  "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[],\"usage\":"
                  "{\"prompt_tokens\":64,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\n", c->total, c->total + 64);
  k = event(out, LAST, sizeof LAST - 1);
  k += event(out + k, usage, (size_t)u);
  k += event(out + k, "data: [DONE]\n\n", 14);
  k += sprintf(out + k, "0\r\n\r\n");
  c->log->end = now_us();
  if (put(fd, out, (size_t)k) < 0) leave(fd);
}

/* Takes every whole request that is in the buffer; one at a time per connection, as HTTP/1.1 clients send them. */
static void take(int fd) {
  connection *c = &all[fd];
  while (c->have && !c->sending) {
    c->in[c->have] = 0;
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end) return;
    char *length = strcasestr(c->in, "\r\ncontent-length:");
    size_t body = length && length < end ? (size_t)atol(length + 17) : 0, whole = (size_t)(end - c->in) + 4 + body;
    if (c->have < whole) return;
    char kept = c->in[whole];
    c->in[whole] = 0;
    if (!strncmp(c->in, "POST", 4) && memmem(c->in, 80, "completions", 11)) begin(fd, end + 4);
    else if (memmem(c->in, 64, "/tokenize", 9)) put(fd, "HTTP/1.1 404 N\r\ncontent-length: 0\r\n\r\n", 37);
    else answer_plain(fd, "{\"object\":\"list\",\"data\":[{\"id\":\"m\",\"object\":\"model\"}]}");
    c->in[whole] = kept;
    memmove(c->in, c->in + whole, c->have - whole);
    c->have -= whole;
  }
}

static void readable(int fd) {
  connection *c = &all[fd];
  ssize_t k = recv(fd, c->in + c->have, IN_SIZE - c->have - 1, 0);
  if (k <= 0) {
    if (k < 0 && errno == EAGAIN) return;
    leave(fd);
    return;
  }
  c->have += (size_t)k;
  take(fd);
}

static void stop(int number) { (void)number, stopping = 1; }

static void write_log(const char *path) {
  FILE *out = fopen(path, "w");
  for (request *r = newest; r; r = r->older) {
    fprintf(out, "%ld %ld %d", r->received, r->end, r->n);
    for (int k = 0; k < r->n; k++) fprintf(out, " %ld", r->at[k]);
    fputc('\n', out);
  }
  fclose(out);
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  ttft = atol(argv[2]), gap = atol(argv[3]);
  signal(SIGTERM, stop), signal(SIGPIPE, SIG_IGN);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  if (bind(listener, (struct sockaddr *)&at, size) || listen(listener, 4096)) return perror("listen"), 1;
  getsockname(listener, (struct sockaddr *)&at, &size);
  printf("%d\n", ntohs(at.sin_port)), fflush(stdout);
  epoll_fd = epoll_create1(0), timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &(struct epoll_event){EPOLLIN, {.fd = listener}});
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &(struct epoll_event){EPOLLIN, {.fd = timer_fd}});
  struct epoll_event ready[256];
  while (!stopping) {
    if (heap_n) {
      int64_t when = due(heap[0]);
      struct itimerspec set = {{0, 0}, {when / 1000000, (when % 1000000) * 1000 + 1}};
      timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &set, NULL);
    }
    int n = epoll_wait(epoll_fd, ready, 256, 500);
    for (int k = 0; k < n; k++) {
      int fd = ready[k].data.fd;
      if (fd == timer_fd) {
        uint64_t times;
        if (read(timer_fd, &times, sizeof times) < 0) continue;
      } else if (fd == listener) {
        for (int new; (new = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
          if (new >= MAX_FD) { close(new); continue; }
          setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          all[new] = (connection){.used = 1, .in = malloc(IN_SIZE)};
          epoll_ctl(epoll_fd, EPOLL_CTL_ADD, new, &(struct epoll_event){EPOLLIN, {.fd = new}});
        }
      } else if (all[fd].used) {
        readable(fd);
      }
    }
    int64_t now = now_us();
    while (heap_n && due(heap[0]) <= now) step(heap[0]);
  }
  write_log(argv[4]);
  return 0;
}
