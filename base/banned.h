/* Functions that have no safe use here. Included by every .c file through config.h's tail
 * (AH_BOTTOM in configure.ac), so that using one does not compile. */
#ifndef SLIPWAY_BASE_BANNED_H
#define SLIPWAY_BASE_BANNED_H

#ifdef __GNUC__
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
/* Macros where clang fortifies. */
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok
#pragma GCC poison atoi atol atoll atof system popen mktemp tmpnam tempnam
#pragma GCC poison asctime gmtime localtime
#endif

#endif
