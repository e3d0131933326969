/* An object of the cluster as people compare it. Pure. */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_SHOWN_H
#define SLIPWAY_DEPLOYER_KUBERNETES_SHOWN_H

#include <jansson.h>

/* A copy without what names the object, what the server, controllers and kubectl write into it by themselves, and what
 * differs in each release. The caller decrefs. */
json_t *object_shown(const json_t *live);

/* Takes the values out of one Secret as it is and as it would be: those that are equal are equal afterwards, and that is
 * all that can be seen. Either may be NULL. */
void object_hide_values(json_t *before, json_t *after);

#endif
