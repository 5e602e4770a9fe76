/* format/layout.c - what hr_format.layout gave, freed. */
#include "base/mem.h"
#include "format/format.h"

void hr_layout_release(struct hr_layout *layout) {
    hr_strlist_release(&layout->header);
    hr_free(layout->group_bytes);
    hr_free(layout->group_rows);
    *layout = (struct hr_layout){0};
}
