/* store/store_table.h - look-up in the table of stores. For store/ itself. */
#ifndef HR_STORE_STORE_TABLE_H
#define HR_STORE_STORE_TABLE_H

#include "store/store.h"

/* The driver that owns a scheme ("s3", "file" …), built or not (see `missing`); NULL: unknown. */
const struct hr_store_driver *hr_store_driver_find(const char *scheme, size_t len);

#endif
