/* The configuration: one table of settings (conf.c) from which the reader, `slipway config`,
 * the man page slipway.conf(5) and the checks are made. INI, read by libinih. */
#ifndef SLIPWAY_BASE_CONF_H
#define SLIPWAY_BASE_CONF_H

#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdint.h>

enum conf_type {
    CONF_STRING,
    CONF_PATH,     /* absolute, or relative to the config file's folder */
    CONF_BOOL,     /* yes, no */
    CONF_INT,
    CONF_SIZE,     /* bytes; suffixes K, M, G (powers of 1024) */
    CONF_TIME,     /* milliseconds inside; suffixes ms, s, m, h, d in the file; s where none */
    CONF_CHOICE,   /* one of a fixed list */
    CONF_LIST,     /* separated by commas or spaces */
};

/* Strings and paths are never NULL: "" is "not set". */
struct conf {
    char *file;               /* absolute path of the file read; NULL: defaults only */
    /* [server] */
    char *state;              /* state folder */
    char *host;               /* name that users type, for messages and URLs */
    char *log_format;         /* text, json */
    char *log_level;          /* error, warn, info, debug */
    /* [ssh] */
    char *listen;             /* address */
    long long port;
    long long max_connections;
    long long max_connections_per_address;
    char *max_startups;       /* begin:rate:full, as sshd's MaxStartups */
    long long login_grace_time;
    long long idle_timeout;
    long long session_memory; /* RLIMIT_AS of a session */
    long long session_cpu;    /* ms of CPU before a session that serves no transfer is ended */
    /* [git] */
    long long max_pack;       /* bytes of one push */
    long long max_files;
    long long max_tree;       /* bytes of all files of a pushed tree */
    long long max_file;       /* bytes of one blob */
    long long max_depth;      /* folders below one another */
    long long max_image;      /* bytes of an image archive's files */
    long long index_memory;   /* RLIMIT_AS of git index-pack */
    long long index_time;
    char *deploy_branch;      /* of new apps */
    /* [build] */
    char *pack;               /* program */
    char *builder;            /* image */
    bool trust_builder;
    struct vec trusted_builders;
    char *lifecycle_image;
    char *run_image;
    char *pull_policy;
    char *network;            /* docker network of the build containers */
    bool allow_project_toml;  /* honour include/exclude and buildpacks of the pushed project.toml */
    char *docker_socket;
    long long builders;       /* how many builds at a time */
    long long build_timeout;
    long long build_output;   /* bytes of log */
    long long build_disk;     /* bytes that must be free in the spool before a build begins */
    long long build_memory;   /* bytes of each build container; 0: a share of the machine's */
    long long build_cpu_shares;
    long long build_pids;
    char *build_switch;       /* pack, none: none accepts pushes without building (measuring the receive side) */
    /* [registry] the build registry; [release-registry] the one that the target pulls from */
    char *registry;           /* host[:port][/prefix] */
    bool registry_insecure;   /* plain http */
    char *registry_ca;
    char *registry_auth;      /* docker config.json with credentials or credential helpers */
    char *release_registry;   /* empty: the build registry */
    bool release_registry_insecure;
    char *release_registry_ca;
    char *release_registry_auth;
    /* [target] */
    char *target;             /* of new apps: auto, kubernetes, docker; see conf_target */
    /* [kubernetes] */
    char *kubeconfig;         /* empty: in-cluster account */
    char *kube_context;
    char *namespace_prefix;   /* namespace = prefix + app */
    char *expose;             /* nodeport, ingress, loadbalancer, none */
    char *ingress_class;
    char *domain;             /* apps get APP.domain */
    bool tls;                 /* https in URLs and Ingress TLS */
    char *node_address;       /* for nodeport URLs */
    char *image_pull_secret;  /* docker config.json for the pods' pulls; empty: none */
    /* [docker] */
    char *engine_socket;      /* empty: docker_socket */
    char *container_prefix;   /* of the names of containers and networks */
    char *subnets;            /* a /8 to /23 out of which each app's network gets a /24 */
    bool router_start;        /* we run Caddy; else somebody does, with the file that we write */
    char *caddy;              /* program */
    char *router_address;     /* empty: all */
    long long http_port, https_port;
    char *router_domain;      /* apps get APP.router_domain */
    bool router_tls;
    char *acme_directory;     /* URL; empty: Caddy's default */
    char *acme_ca;            /* of that URL's host; empty: the system's */
    char *acme_email;         /* empty: none */
    bool read_only;           /* the containers' root file system */
    long long pids_limit;
    long long log_size;       /* bytes of one log file of a container */
    long long log_files;
    /* [release] */
    long long releases;       /* releases of different apps at a time */
    long long rollout_timeout;
    long long release_timeout;/* of the release command */
    long long grace_period;   /* of a pod */
    long long pre_stop;
    char *cpu_request, *cpu_limit, *memory_request, *memory_limit;
    long long revision_history;
    long long run_uid;        /* numeric uid of the containers */
    long long max_restarts;   /* crashes of one pod before a rollout fails */
};

struct conf_setting {
    const char *section, *name;
    enum conf_type type;
    size_t offset;            /* in struct conf */
    const char *fallback;     /* as it would stand in the file */
    const char *choices;      /* CONF_CHOICE: "a b c" */
    long long min, max;       /* of CONF_INT, CONF_SIZE, CONF_TIME (ms) */
    const char *meaning;      /* one or two sentences, for the man page */
};

/* The table, ended by a row whose name is NULL. */
extern const struct conf_setting conf_settings[];

/* Defaults, then the file (NULL: defaults only). Unknown sections or names, bad values and repeats
 * are errors that name file, line, setting and what was expected. Release with conf_release. */
int conf_load(struct conf *c, const char *file, struct err *err);

/* The same from memory; file stands in messages and its folder is where relative paths begin. */
int conf_parse(struct conf *c, const char *file, const char *data, size_t n, struct err *err);

/* One setting by hand: "SECTION.NAME=VALUE", as `slipway init` takes them. Relative paths begin
 * in the working folder. ERR_USAGE where there is no such setting or the value is wrong. */
int conf_set(struct conf *c, const char *assignment, struct err *err);

void conf_release(struct conf *c);

/* Prints every setting with its value, default and meaning: an INI file that conf_load reads. */
void conf_print(const struct conf *c, FILE *out);

/* A number of type CONF_INT, CONF_SIZE or CONF_TIME as it would stand in the file ("64M", "10m"); the caller frees it. */
char *conf_format(enum conf_type type, long long n);

/* Rows of the settings in man(7) format, for slipway.conf(5). */
void conf_print_man(FILE *out);

/* The target of new apps, "kubernetes" or "docker": what the setting says; auto is kubernetes where a kubeconfig is
 * set or this is a pod, else docker. */
const char *conf_target(const struct conf *c);

/* Is this server configured for the target? The one of new apps is; besides, kubernetes where a kubeconfig is set or this
 * is a pod, docker where [docker] socket is set or apps have run on it before (STATE/run/docker is there): who adds a
 * kubeconfig to a server with apps still has them. 0, ERR_USAGE where there is no such target, ERR_FAILED: what to set. */
int conf_target_check(const struct conf *c, const char *target, struct err *err);

/* The names of all targets, ended by NULL. */
extern const char *const conf_targets[];

/* A path below the state folder, printf style; the caller frees it. */
char *conf_state_path(const struct conf *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
