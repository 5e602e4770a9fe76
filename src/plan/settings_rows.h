/* plan/settings_rows.h - the option rows that belong to no leaf; only settings.c includes it. */
#ifndef HR_PLAN_SETTINGS_ROWS_H
#define HR_PLAN_SETTINGS_ROWS_H

#include "plan/settings.h"

extern const struct hr_option hr_rows_place[], hr_rows_credentials[], hr_rows_files[],
    hr_rows_cost[], hr_rows_partitions[], hr_rows_work[], hr_rows_parquet_scan[], hr_rows_schema[],
    hr_rows_sync[], hr_rows_dest[];
extern const size_t hr_rows_place_count, hr_rows_credentials_count, hr_rows_files_count,
    hr_rows_cost_count, hr_rows_partitions_count, hr_rows_work_count, hr_rows_parquet_scan_count,
    hr_rows_schema_count, hr_rows_sync_count, hr_rows_dest_count;

#endif
