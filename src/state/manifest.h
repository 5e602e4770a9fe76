/* state/manifest.h - what a stream's folder holds of ours: FOLDER_headrace/LINEAGE/manifest.json.
 *
 * {"v":1,"lineage":…,"seq":N,"outputs":[{"key":…,"bytes":…,"rows":…}]}; readers that skip names
 * starting with '_' do not see it. Level 4. */
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

#endif
