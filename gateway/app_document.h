/* A whole app as one JSON document (apps:export, apps:import, apps:apply):
 *
 *   {"slipway": 1, "name": "shop", "deploy_branch": "main", "on_disconnect": "continue", "target": "docker",
 *    "image": "registry.example.com/shop@sha256:…", "formation": {"web": 2},
 *    "config": {"DATABASE_URL": {"scopes": ["run"]}, "MODE": {"scopes": ["run", "build"], "value": "fast"}},
 *    "domains": ["www.example.com"], "access": {"carl": "deploy", "@ops": "operate"}}
 *
 * A member that is missing, or null, says nothing about its part. Pure: what stands in the document is checked here, whether it
 * fits the app by who applies it. */
#ifndef SLIPWAY_GATEWAY_APP_DOCUMENT_H
#define SLIPWAY_GATEWAY_APP_DOCUMENT_H

#include "base/err.h"
#include "base/image_ref.h"
#include "sql/model.h"

#include <jansson.h>

#define APP_DOCUMENT_VERSION 1
/* A config of CONFIG_TOTAL_MAX bytes with every byte escaped, and the rest. */
#define APP_DOCUMENT_MAX (6 * 1024 * 1024)

struct document_var {
    const char *name, *value; /* value NULL: not told */
    size_t value_len;
    bool run, build;
};

struct document_access { const char *who; enum role role; }; /* a user, or "@" and a team */

struct app_document {
    json_t *json;             /* what the strings are borrowed from */
    const char *name, *deploy_branch, *on_disconnect, *target, *image; /* NULL: not told */
    struct image_ref ref;     /* of image: it has a digest */
    bool has_formation, has_config, has_access, has_domains;
    struct vec domains;       /* as domain_parse writes them, each once */
    struct formation formation;
    struct document_var *config;
    size_t n_config;
    struct document_access *access;
    size_t n_access;
};

/* Parses n bytes. ERR_USAGE names line and column of what is no JSON, else the member ("config.A.scopes") and what was
 * expected; never a value. Release *ret with app_document_release, which zeroes the values' memory. */
int app_document_parse(const char *text, size_t n, struct app_document *ret, struct err *err);
void app_document_release(struct app_document *d);

#endif
