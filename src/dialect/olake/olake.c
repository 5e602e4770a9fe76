/* dialect/olake/olake.c - the Olake leaf: its slots put together. */
#include "dialect/olake/olake.h"

#include "dialect/state_file.h"
#include "dialect/streams_file.h"

const struct hr_dialect hr_dialect_olake = {
    .name = "olake",
    .title = "Olake S3 source",
    .flags = HR_DIALECT_STREAMS_FILE | HR_DIALECT_STATE_FILE,
    .detect = hr_olake_detect,
    .configure = hr_olake_configure,
    .configure_destination = hr_olake_configure_destination,
    .spec = hr_olake_spec,
    .catalog_dress = hr_streams_dress,
    .catalog_read = hr_streams_read,
    .catalog_write = hr_streams_write,
    .catalog_merge = hr_streams_merge,
    .catalog_difference = hr_streams_difference,
    .stream_folder = hr_streams_folder,
    .writes_file = hr_olake_writes_file,
    .state_read = hr_state_file_read,
    .state_get = hr_state_file_get,
    .state_set = hr_state_file_set,
    .state_write = hr_state_file_write,
    .state_each = hr_state_file_each,
    .state_hash = hr_state_file_hash,
    .state_free = hr_state_file_free,
    .message_catalog = hr_olake_message_catalog,
    .message_status = hr_olake_message_status,
};
