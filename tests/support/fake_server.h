/* tests/support/fake_server.h - an HTTP server that does what the test says, one step per request.
 *
 * Steps are queued; the nth request gets the nth step, whatever connection it comes on. When the
 * queue is empty the last step is used again. */
#ifndef HR_TEST_FAKE_SERVER_H
#define HR_TEST_FAKE_SERVER_H

#include <stddef.h>
#include <stdint.h>

struct fake_server;

enum fake_flags {
    FAKE_CLOSE = 1,  /* close behind the answer */
    FAKE_RESET = 2,  /* end the connection with a reset behind what is sent */
    FAKE_STALL = 4,  /* send, then neither close nor go on */
    FAKE_NO_READ = 8 /* do not wait for the request first */
};

struct fake_server *fake_start(void);
void fake_stop(struct fake_server *fake);
int fake_port(const struct fake_server *fake);
const char *fake_url(const struct fake_server *fake); /* http://127.0.0.1:PORT */

/* Raw bytes, sent as they are. */
void fake_raw(struct fake_server *fake, unsigned flags, int delay_ms, const void *ptr, size_t len);
/* A whole answer: Content-Length is added. headers: lines with \r\n, "" none. */
void fake_answer(struct fake_server *fake, int status, const char *headers, const char *body);
/* <Error> with this code. */
void fake_error(struct fake_server *fake, int status, const char *headers, const char *code);

int fake_count(struct fake_server *fake);
/* Head and body of request n (from 0), NUL-terminated; lives until fake_stop. NULL: none such. */
const char *fake_request(struct fake_server *fake, int n);
/* Value of a header in it, into buf; "" absent. Returns buf. */
const char *fake_header(struct fake_server *fake, int n, const char *name, char *buf, size_t size);
int64_t fake_time_ms(struct fake_server *fake, int n); /* when it came, monotonic */
int fake_connections(struct fake_server *fake);

#endif
