/* SPDX-License-Identifier: BSD-3-Clause */
/* Where an array of images, channels and points has its elements: channels first (image, channel, point), or last (image, point,
 * channel). */
#ifndef CF_LAYOUT_H
#define CF_LAYOUT_H
#include <stdint.h>

/* How far neighbours lie apart.  Points of an image are evenly spaced; with channels first they adjoin. */
typedef struct {
    int64_t image, channel, point;
} cf_layout;

static inline cf_layout cf_layout_of(int channels_last, int64_t channels, int64_t points)
{
    return (cf_layout){channels * points, channels_last ? 1 : points, channels_last ? channels : 1};
}

#endif
