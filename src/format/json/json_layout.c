/* format/json/json_layout.c - lines or a document, for the planner: lines can be cut anywhere.
 * Looks at up to 64 KiB, like the reader does. */
#include "format/json/json_read.h"

int hr_j_layout(struct hr_source *src, const struct hr_format_opts *opts, struct hr_layout *out,
                struct hr_error *err) {
    enum hr_j_framing framing = (enum hr_j_framing)opts->json.lines;
    struct hr_buf head;
    *out = (struct hr_layout){0};
    hr_buf_init(&head, 0);
    bool ended = false;
    int rc = 0;
    while (rc == 0 && framing == HR_J_AUTO) {
        struct hr_slice slice;
        rc = hr_source_next(src, &slice, err);
        ended = rc == HR_END;
        if (rc == 0) {
            const size_t room = HR_J_SNIFF - head.len;
            rc = hr_buf_append(&head, slice.ptr, slice.len < room ? slice.len : room, err);
        }
        if (rc == 0 || ended) {
            const bool all = ended || head.len >= HR_J_SNIFF;
            const enum hr_j_framing told = hr_j_sniff(head.ptr, head.len, all);
            framing = told == HR_J_UNKNOWN ? (all ? HR_J_DOCUMENT : HR_J_AUTO) : told;
            rc = 0;
        }
    }
    out->splittable = rc == 0 && framing == HR_J_LINES;
    hr_buf_release(&head);
    return rc;
}
