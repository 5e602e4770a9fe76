/* format/parquet/pq_footer.h - finding and reading the footer of a Parquet file. */
#ifndef HR_FORMAT_PARQUET_PQ_FOOTER_H
#define HR_FORMAT_PARQUET_PQ_FOOTER_H

#include "format/parquet/pq_page.h"

#define HR_PQ_TAIL 65536 /* bytes of the one read that gets most footers, and small files whole */

struct hr_pq_footer {
    struct hr_pq_input input; /* keeps the bytes the metadata points into */
    struct hr_arena arena;
    struct hr_pq_file file;
};

/* Columns are kept of the row groups in [begin, end). The source is borrowed. One read of the last
 * 64 KiB, a second when the footer is longer. HR_E_FORMAT: not a Parquet file; HR_E_UNSUPPORTED:
 * encrypted, or the source is a stream. */
int hr_pq_footer_read(struct hr_source *src, int64_t begin, int64_t end, struct hr_pq_footer *out,
                      struct hr_error *err);
void hr_pq_footer_release(struct hr_pq_footer *footer);

#endif
