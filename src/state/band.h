/* state/band.h - which objects are new: band, sweep and day sums of one stream.
 *
 * Times alone decide nothing: a multipart object carries the time its upload began, stores keep
 * whole seconds, files are moved in with old times, clocks differ. So for objects younger than
 * `watermark - lookback` (the band) each key's last ETag is kept; an object there is new when its
 * ETag differs. Below the band, per day of object time, count and a 128-bit sum of what was read
 * are kept: a difference to the listing is reported, naming the day.
 *
 * Work goes in key order, time does not: while a plan is unfinished the band also holds a sweep
 * (the upper time bound, the last key done). Watermark moves only when the sweep ends.
 *
 * On disk: 18 bytes an entry (8 of the key's hash, 7 of the ETag's, 3 of the minute relative to the
 * watermark's lookback), sorted, base64, inside `_headrace` of the stream's state. Level 5. One
 * thread.
 */
#ifndef HR_STATE_BAND_H
#define HR_STATE_BAND_H

#include <jansson.h>

#include "store/store.h"

struct hr_band;

/* An empty band. lookback_seconds -1: every key for ever. */
int hr_band_new(int64_t lookback_seconds, struct hr_band **out, struct hr_error *err);
/* From the `_headrace` object of a state entry. HR_E_STATE for anything that is not what
 * hr_band_to_json writes. */
int hr_band_from_json(const json_t *json, int64_t lookback_seconds, const char *name,
                      struct hr_band **out, struct hr_error *err);
void hr_band_free(struct hr_band *band); /* NULL allowed */
/* Add our members to `into` (an object). */
int hr_band_to_json(const struct hr_band *band, json_t *into, struct hr_error *err);
/* Start from what another program read: everything at or below `cursor_us` (whole seconds) counts
 * as read, except keys marked pending. */
void hr_band_adopt(struct hr_band *band, int64_t cursor_us);
int hr_band_mark_pending(struct hr_band *band, const char *key, size_t key_len,
                         struct hr_error *err);

/* Asked of every object below the band that no entry knows: true, it was never read for certain.
 * take: such ones are fresh; otherwise they are left, and no day counts them. */
void hr_band_unread(struct hr_band *band,
                    bool (*unread)(void *user, const char *key, size_t key_len,
                                   const struct hr_object_info *info),
                    void *user, bool take);
bool hr_band_adopted(const struct hr_band *band); /* see hr_band_adopt; until the sweep ends */
/* No keys are kept at or before this time, microseconds; INT64_MIN: all are. */
int64_t hr_band_edge(const struct hr_band *band);
/* A run begins: list_us is the store's Date when listing began. Resumes an unfinished sweep. */
void hr_band_begin(struct hr_band *band, int64_t list_us);
/* Is the object to be read? Also counts what lies below the band, by day. */
bool hr_band_fresh(struct hr_band *band, const char *key, size_t key_len,
                   const struct hr_object_info *info);
/* The object was read (at a checkpoint, in any order within it). */
int hr_band_note(struct hr_band *band, const char *key, const struct hr_object_info *info,
                 struct hr_error *err);
/* Read this key again at the next run, whatever of it was read (state replay). The mark stays until
 * the object is noted. HR_E_BOUND: too many marks. */
int hr_band_replay(struct hr_band *band, const char *key, size_t key_len, struct hr_error *err);
/* Is the key's last version kept in the band? False: never read, or read and older than it. */
bool hr_band_knows(const struct hr_band *band, const char *key, size_t key_len);
size_t hr_band_replays(const struct hr_band *band); /* how many marks */
/* A checkpoint ends; all chosen keys up to this one are read. */
int hr_band_checkpoint(struct hr_band *band, const char *last_key, struct hr_error *err);
/* The sweep ends: the watermark moves, entries below the band become day sums. Idempotent. */
int hr_band_finish(struct hr_band *band, struct hr_error *err);
bool hr_band_sweeping(const struct hr_band *band);

/* Newest object time read so far, microseconds; INT64_MIN when nothing was read. */
int64_t hr_band_newest(const struct hr_band *band);
int64_t hr_band_watermark(const struct hr_band *band);
size_t hr_band_entries(const struct hr_band *band);

/* After a whole listing went through hr_band_fresh, before hr_band_finish: days below the band that
 * do not match. Returns how many were reported. */
size_t hr_band_differences(struct hr_band *band,
                           void (*each)(void *user, const char *day, int64_t kept, int64_t listed),
                           void *user);

#endif
