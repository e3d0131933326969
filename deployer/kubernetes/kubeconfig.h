/* Where a cluster is and how to log in to it: a kubeconfig file's context, or the service account
 * of the pod that the program runs in. Only reads; credential.h gets what changes over time. */
#ifndef SLIPWAY_DEPLOYER_KUBERNETES_KUBECONFIG_H
#define SLIPWAY_DEPLOYER_KUBERNETES_KUBECONFIG_H

#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>

/* a file with hundreds of inline certificates is far below */
#define KUBECONFIG_MAX (4 * 1024 * 1024)

/* A program that prints a credential (client.authentication.k8s.io), as for EKS, GKE and AKS. */
struct kube_exec {
    char *api_version;       /* "client.authentication.k8s.io/v1" or ".../v1beta1" */
    char *command;           /* a name for PATH, or an absolute path */
    struct vec args;
    struct vec env;          /* "NAME=value", added to the program's environment */
    char *install_hint;      /* NULL: none */
    bool provide_cluster_info;
};

struct kubeconfig {
    char *server;            /* "https://host:port[/prefix]" without a slash at the end */
    char *ca_file, *ca_pem;  /* NULL: the system's authorities */
    char *tls_server_name;   /* NULL: the server's host */
    bool insecure;           /* do not check the server's certificate */
    char *cert_file, *cert_pem, *key_file, *key_pem; /* NULL: no client certificate */
    char *token;             /* a fixed bearer token; NULL: none */
    char *token_file;        /* a token that is read anew, because it is replaced there */
    bool has_exec;
    struct kube_exec exec;
};

/* Reads a kubeconfig (YAML or JSON, n bytes) and resolves one context: cluster, user, relative file
 * names against `folder`. context NULL or "": the file's current-context. Where a value and a file
 * are both named the value is used, a token file before a token, as kubectl does.
 * Errors name what is missing or can't be honoured. Release with kubeconfig_release.
 * Source: k8s.io/client-go/tools/clientcmd/api/v1, kubernetes.io "Organizing Cluster Access". */
int kubeconfig_parse(const char *data, size_t n, const char *folder, const char *context,
                     struct kubeconfig *ret, struct err *err);

/* The same from a file. */
int kubeconfig_load(const char *path, const char *context, struct kubeconfig *ret,
                    struct err *err);

/* The service account of the pod that this process runs in. Source: kubernetes.io "Accessing the
 * API from a Pod". */
int kubeconfig_in_cluster(struct kubeconfig *ret, struct err *err);

void kubeconfig_release(struct kubeconfig *k);

#endif
