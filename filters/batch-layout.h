/*
 * batch-layout.h - what stands where in a .cards container; shared by batch.c and batch-write.c
 * alone.
 *
 *   mimetype             stored, first, no extra field: BATCH_MIME stands at byte 38 of the file
 *   photos/NNNN.jpg|bmp  stored, NNNN = record number
 *   records.csv          deflated; the roster as roster_build writes it
 *   manifest.json        {"entries":{NAME:{"bytes":B,"sha256":HEX},
 * ...},"format":"cardspool.batch", "order":O,"records":N,"template":T,"version":1} names every
 * entry but mimetype and itself
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_BATCH_LAYOUT_H
#define CARDSPOOL_BATCH_LAYOUT_H

#include "filters/card.h"

#define BATCH_FILE_MAX     (256 * 1024 * 1024)
#define BATCH_MANIFEST_MAX (4 * 1024 * 1024)
#define BATCH_ENTRIES_MAX  (ROSTER_RECORDS_MAX + 3)
#define BATCH_NAME_MAX     32
#define BATCH_VERSION      1
#define BATCH_FORMAT       "cardspool.batch"

#define ENTRY_MIME     "mimetype"
#define ENTRY_MANIFEST "manifest.json"
#define ENTRY_RECORDS  "records.csv"

#endif
