/* SPDX-License-Identifier: BSD-3-Clause */
/* Status codes as text. */
#include "base.h"

const char *cf_status_text(cf_status status)
{
    static const char *const text[] = {"ok", "invalid argument", "not supported on this machine", "problem too large"};
    return text[status];
}
