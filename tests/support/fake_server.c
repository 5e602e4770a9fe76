/* tests/support/fake_server.c - the scripted HTTP server: a thread that accepts, one per
 * connection. */
#include "fake_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

#define MAX_STEPS 512
#define MAX_CONNECTIONS 256

struct step {
    unsigned flags;
    int delay_ms;
    char *ptr;
    size_t len;
};

struct fake_server {
    int listener, port;
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock; /* below it: */
    bool stop;
    struct step steps[MAX_STEPS];
    int n_steps, next_step;
    char *requests[MAX_STEPS];
    int64_t times[MAX_STEPS];
    int n_requests;
    pthread_t connections[MAX_CONNECTIONS];
    int n_connections;
};

struct connection {
    struct fake_server *fake;
    int fd;
};

static bool stopped(struct fake_server *f) {
    pthread_mutex_lock(&f->lock);
    bool stop = f->stop;
    pthread_mutex_unlock(&f->lock);
    return stop;
}

/* False when the peer is gone or the server stops. */
static bool readable(struct fake_server *f, int fd) {
    while (!stopped(f)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = poll(&p, 1, 20);
        if (n > 0) {
            return true;
        }
    }
    return false;
}

static void nap(struct fake_server *f, int ms) {
    for (; ms > 0 && !stopped(f); ms -= 10) {
        struct timespec ts = {0, 10000000};
        nanosleep(&ts, NULL);
    }
}

/* One request: head and, by its Content-Length, body. NULL: the peer is gone. */
static char *read_request(struct fake_server *f, int fd) {
    size_t cap = 1 << 16;
    size_t len = 0;
    size_t want = 0;
    char *buf = malloc(cap);
    for (;;) {
        if (len + 1 >= cap) {
            cap *= 2;
            buf = realloc(buf, cap);
        }
        ssize_t n = readable(f, fd) ? read(fd, buf + len, cap - len - 1) : 0;
        if (n <= 0) {
            free(buf);
            return NULL;
        }
        len += (size_t)n;
        buf[len] = '\0';
        const char *end = strstr(buf, "\r\n\r\n");
        if (want == 0 && end != NULL) {
            const char *length = strcasestr(buf, "\r\nContent-Length:");
            want = (size_t)(end - buf) + 4;
            if (length != NULL && length < end) {
                want += strtoul(length + 17, NULL, 10);
            }
        }
        if (want > 0 && len >= want) {
            return buf;
        }
    }
}

static void send_all(int fd, const char *ptr, size_t len) {
    while (len > 0) {
        ssize_t n = send(fd, ptr, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        ptr += n;
        len -= (size_t)n;
    }
}

static int64_t now_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct step take_step(struct fake_server *f, char *request) {
    struct step step = {.flags = FAKE_CLOSE};
    pthread_mutex_lock(&f->lock);
    if (f->n_requests < MAX_STEPS) {
        f->times[f->n_requests] = now_ms();
        f->requests[f->n_requests++] = request;
    } else {
        free(request);
    }
    if (f->n_steps > 0) {
        step = f->steps[f->next_step];
        f->next_step += f->next_step + 1 < f->n_steps;
    }
    pthread_mutex_unlock(&f->lock);
    return step;
}

static bool greets(struct fake_server *f) {
    pthread_mutex_lock(&f->lock);
    bool yes = f->n_steps > 0 && (f->steps[f->next_step].flags & FAKE_NO_READ) != 0;
    pthread_mutex_unlock(&f->lock);
    return yes;
}

static void *serve(void *arg) {
    struct connection c = *(struct connection *)arg;
    struct fake_server *f = c.fake;
    free(arg);
    for (;;) {
        char *request = greets(f) ? strdup("") : read_request(f, c.fd);
        if (request == NULL) {
            break;
        }
        struct step step = take_step(f, request);
        nap(f, step.delay_ms);
        send_all(c.fd, step.ptr, step.len);
        if (step.flags & FAKE_STALL) {
            while (!stopped(f)) {
                nap(f, 20);
            }
        }
        if (step.flags & FAKE_RESET) {
            struct linger hard = {1, 0};
            setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
            break;
        }
        if (step.flags & FAKE_CLOSE) {
            break;
        }
    }
    close(c.fd);
    return NULL;
}

static void *accept_loop(void *arg) {
    struct fake_server *f = arg;
    while (readable(f, f->listener)) {
        int fd = accept(f->listener, NULL, NULL);
        if (fd < 0) {
            continue;
        }
        struct connection *c = malloc(sizeof(*c));
        *c = (struct connection){f, fd};
        pthread_mutex_lock(&f->lock);
        bool ok = f->n_connections < MAX_CONNECTIONS &&
                  pthread_create(&f->connections[f->n_connections], NULL, serve, c) == 0;
        f->n_connections += ok;
        pthread_mutex_unlock(&f->lock);
        if (!ok) {
            close(fd);
            free(c);
        }
    }
    return NULL;
}

struct fake_server *fake_start(void) {
    struct fake_server *f = calloc(1, sizeof(*f));
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pthread_mutex_init(&f->lock, NULL);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(f->listener, 64), 0);
    assert_int_equal(getsockname(f->listener, (struct sockaddr *)&addr, &len), 0);
    f->port = ntohs(addr.sin_port);
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d", f->port);
    assert_int_equal(pthread_create(&f->thread, NULL, accept_loop, f), 0);
    return f;
}

void fake_stop(struct fake_server *f) {
    pthread_mutex_lock(&f->lock);
    f->stop = true;
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    for (int i = 0; i < f->n_connections; i++) {
        pthread_join(f->connections[i], NULL);
    }
    close(f->listener);
    for (int i = 0; i < f->n_steps; i++) {
        free(f->steps[i].ptr);
    }
    for (int i = 0; i < f->n_requests; i++) {
        free(f->requests[i]);
    }
    pthread_mutex_destroy(&f->lock);
    free(f);
}

int fake_port(const struct fake_server *f) {
    return f->port;
}

const char *fake_url(const struct fake_server *f) {
    return f->url;
}

void fake_raw(struct fake_server *f, unsigned flags, int delay_ms, const void *ptr, size_t len) {
    struct step step = {.flags = flags, .delay_ms = delay_ms, .ptr = malloc(len + 1), .len = len};
    if (len > 0) {
        memcpy(step.ptr, ptr, len);
    }
    pthread_mutex_lock(&f->lock);
    assert_true(f->n_steps < MAX_STEPS);
    /* When all steps were used, the last was used for repetition; go on behind it. */
    if (f->n_requests > f->next_step && f->n_steps > 0 && f->next_step == f->n_steps - 1) {
        f->next_step = f->n_steps;
    }
    f->steps[f->n_steps++] = step;
    pthread_mutex_unlock(&f->lock);
}

void fake_answer(struct fake_server *f, int status, const char *headers, const char *body) {
    size_t size = strlen(headers) + strlen(body) + 200;
    char *text = malloc(size);
    int n = snprintf(text, size, "HTTP/1.1 %d Scripted\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                     headers, strlen(body), body);
    fake_raw(f, 0, 0, text, (size_t)n);
    free(text);
}

void fake_error(struct fake_server *f, int status, const char *headers, const char *code) {
    char body[600];
    snprintf(body, sizeof(body),
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code>"
             "<Message>scripted %s</Message><RequestId>R1</RequestId></Error>",
             code, code);
    fake_answer(f, status, headers, body);
}

int fake_count(struct fake_server *f) {
    pthread_mutex_lock(&f->lock);
    int n = f->n_requests;
    pthread_mutex_unlock(&f->lock);
    return n;
}

const char *fake_request(struct fake_server *f, int n) {
    pthread_mutex_lock(&f->lock);
    const char *text = n < f->n_requests ? f->requests[n] : NULL;
    pthread_mutex_unlock(&f->lock);
    return text;
}

const char *fake_header(struct fake_server *f, int n, const char *name, char *buf, size_t size) {
    char line[200];
    const char *text = fake_request(f, n);
    buf[0] = '\0';
    snprintf(line, sizeof(line), "\r\n%s:", name);
    const char *found = text ? strcasestr(text, line) : NULL;
    if (found != NULL) {
        found += strlen(line);
        found += strspn(found, " ");
        snprintf(buf, size, "%.*s", (int)strcspn(found, "\r"), found);
    }
    return buf;
}

int64_t fake_time_ms(struct fake_server *f, int n) {
    pthread_mutex_lock(&f->lock);
    int64_t ms = n < f->n_requests ? f->times[n] : 0;
    pthread_mutex_unlock(&f->lock);
    return ms;
}

int fake_connections(struct fake_server *f) {
    pthread_mutex_lock(&f->lock);
    int n = f->n_connections;
    pthread_mutex_unlock(&f->lock);
    return n;
}
