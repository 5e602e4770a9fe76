/* state/manifest.h - what a stream's folder holds of ours: FOLDER_headrace/LINEAGE/manifest.json.
 *
 * {"v":2,"lineage":…,"seq":N,"outputs":[{"key":…,"bytes":…,"rows":…,"crc64":…}],"seal":…}; beside
 * it commit-NNNNNN.json, the archive of each commit: the same members, "before" (the SEQ of the
 * commit before it that has an archive, 0 none), "overwrite" (this commit replaced the table) and
 * "inputs". Readers that skip names starting with '_' do not see them. Level 4. */
#ifndef HR_STATE_MANIFEST_H
#define HR_STATE_MANIFEST_H

#include <jansson.h>

#include "store/store.h"

/* The manifest of one lineage, or a new empty one. New reference. HR_E_STATE: damaged. */
int hr_manifest_load(struct hr_store *store, const char *folder, const char *lineage, json_t **out,
                     struct hr_error *err);
/* Manifests of every lineage that wrote into the folder, as a JSON array of objects, each with its
 * own key under "manifest". New reference. */
int hr_manifest_load_all(struct hr_store *store, const char *folder, json_t **out,
                         struct hr_error *err);

/* *own: the folder has a manifest of this lineage; *others, looked for only when not: one of
 * another. One request when all is well. */
int hr_manifest_look(struct hr_store *store, const char *folder, const char *lineage, bool *own,
                     bool *others, struct hr_error *err);
/* One manifest or archive by its key. New reference. HR_E_STATE: damaged, named in the message. */
int hr_manifest_read(struct hr_store *store, const char *key, json_t **out, struct hr_error *err);
/* Whether a parsed one (NULL: not JSON) is whole: version, seal, members. */
int hr_manifest_check(const json_t *json, const char *key, struct hr_error *err);

#endif
