/* The table of settings. What reads and writes it is in conf_read.c and conf_print.c. */
#include "config.h"

#include "base/conf.h"

#include <limits.h>
#include <stddef.h>

#define K 1024LL
#define M (1024 * K)
#define G (1024 * M)
#define S 1000LL
#define MINUTE (60 * S)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define AT(member) offsetof(struct conf, member)

const struct conf_setting conf_settings[] = {
    { "server", "state", CONF_PATH, AT(state), "/var/lib/slipway", NULL, 0, 0,
      "Folder that holds everything Slipway remembers: database, keys, repositories, logs." },
    { "server", "host", CONF_STRING, AT(host), "localhost", NULL, 0, 0,
      "Name under which people reach this server, as it stands in messages and git URLs." },
    { "server", "log_format", CONF_CHOICE, AT(log_format), "text", "text json", 0, 0,
      "Form of the log on standard error: lines of text, or one JSON object a line." },
    { "server", "log_level", CONF_CHOICE, AT(log_level), "info", "error warn info debug", 0, 0,
      "What is logged: this level and those before it." },

    { "ssh", "listen", CONF_STRING, AT(listen), "::", NULL, 0, 0,
      "Address to listen on. \"::\" is every address, IPv4 too." },
    { "ssh", "port", CONF_INT, AT(port), "2222", NULL, 1, 65535,
      "Port of the SSH server. Port 22 needs a start as root and no other SSH server there." },
    { "ssh", "max_connections", CONF_INT, AT(max_connections), "200", NULL, 1, 10000,
      "Connections at a time. Each is a process of at most 3 MiB." },
    { "ssh", "max_connections_per_address", CONF_INT, AT(max_connections_per_address), "32", NULL, 1,
      10000, "Connections at a time from one address (IPv6: from one /64 network)." },
    { "ssh", "max_startups", CONF_STRING, AT(max_startups), "20:30:100", NULL, 0, 0,
      "START:RATE:FULL. From START connections on that have not authenticated yet, a new one is refused "
      "with a chance of RATE percent, which grows to 100 at FULL." },
    { "ssh", "login_grace_time", CONF_TIME, AT(login_grace_time), "30s", NULL, S, HOUR,
      "Time in which a connection must have authenticated." },
    { "ssh", "idle_timeout", CONF_TIME, AT(idle_timeout), "10m", NULL, S, DAY,
      "A connection over which nothing goes for so long is ended." },
    { "ssh", "session_memory", CONF_SIZE, AT(session_memory), "1G", NULL, 64 * M, 1024 * G,
      "Address space of one connection's process." },
    { "ssh", "session_cpu", CONF_TIME, AT(session_cpu), "20s", NULL, S, HOUR,
      "CPU time after which a connection that transfers nothing is ended." },

    { "git", "max_pack", CONF_SIZE, AT(max_pack), "1G", NULL, 64 * K, 1024 * G,
      "Size of what one push may send." },
    { "git", "max_files", CONF_INT, AT(max_files), "100000", NULL, 1, 10000000,
      "Files in a pushed tree." },
    { "git", "max_tree", CONF_SIZE, AT(max_tree), "2G", NULL, 64 * K, 1024 * G,
      "Size of all files of a pushed tree together." },
    { "git", "max_file", CONF_SIZE, AT(max_file), "512M", NULL, 64 * K, 1024 * G,
      "Size of one file." },
    { "git", "max_depth", CONF_INT, AT(max_depth), "64", NULL, 1, 1000,
      "Folders within folders in a pushed tree." },
    { "git", "max_image", CONF_SIZE, AT(max_image), "4G", NULL, 64 * K, 1024 * G,
      "Size of the files in an archive that git:load-image takes, unpacked. It is kept in the state folder until the image is published." },
    { "git", "index_memory", CONF_SIZE, AT(index_memory), "512M", NULL, 64 * M, 1024 * G,
      "Address space of the git processes that check a push. A file that is sent as a change of an earlier one needs twice its size." },
    { "git", "index_time", CONF_TIME, AT(index_time), "10m", NULL, S, DAY,
      "Time that receiving and checking a push may take, and a second more for each 16 KiB of it: a slow line is no fault." },
    { "git", "deploy_branch", CONF_STRING, AT(deploy_branch), "main", NULL, 0, 0,
      "Branch that new apps deploy." },

    { "build", "build", CONF_CHOICE, AT(build_switch), "pack", "pack none", 0, 0,
      "pack builds and deploys every push. none accepts pushes and does nothing with them, which is for "
      "measuring only." },
    { "build", "pack", CONF_STRING, AT(pack), "pack", NULL, 0, 0,
      "The pack program: a name in PATH, or its file." },
    { "build", "builder", CONF_STRING, AT(builder), "heroku/builder:24", NULL, 0, 0,
      "Builder image." },
    { "build", "trust_builder", CONF_BOOL, AT(trust_builder), "no", NULL, 0, 0,
      "Run the whole build in one container, which is faster, but the app's code then runs beside the "
      "registry's credential." },
    { "build", "trusted_builders", CONF_LIST, AT(trusted_builders), "", NULL, 0, 0,
      "Builder images that are trusted even where trust_builder is no." },
    { "build", "lifecycle_image", CONF_STRING, AT(lifecycle_image), "", NULL, 0, 0,
      "Lifecycle image for untrusted builds. Empty: the one that pack chooses." },
    { "build", "run_image", CONF_STRING, AT(run_image), "", NULL, 0, 0,
      "Run image. Empty: the builder's own." },
    { "build", "pull_policy", CONF_CHOICE, AT(pull_policy), "if-not-present", "always if-not-present never",
      0, 0, "When builder and run image are pulled." },
    { "build", "network", CONF_STRING, AT(network), "", NULL, 0, 0,
      "Docker network of the build containers. Empty: Docker's default. What pushed code may reach while it builds, such as a "
      "cloud's metadata address or the cluster's API, is for the machine's packet filter to say (Docker's chain DOCKER-USER)." },
    { "build", "allow_project_toml", CONF_BOOL, AT(allow_project_toml), "no", NULL, 0, 0,
      "Honour include, exclude and the choice of buildpacks in the pushed project.toml." },
    { "build", "docker_socket", CONF_PATH, AT(docker_socket), "/var/run/docker.sock", NULL, 0, 0,
      "Socket of the Docker engine that builds." },
    { "build", "builders", CONF_INT, AT(builders), "2", NULL, 1, 64,
      "Builds at a time." },
    { "build", "build_timeout", CONF_TIME, AT(build_timeout), "15m", NULL, 10 * S, DAY,
      "Time that one build may take." },
    { "build", "build_output", CONF_SIZE, AT(build_output), "16M", NULL, 64 * K, G,
      "Output of one build that is kept and shown." },
    { "build", "build_disk", CONF_SIZE, AT(build_disk), "1G", NULL, 0, 1024 * G,
      "Space that must be free on the state folder's disk before a build begins." },
    { "build", "build_memory", CONF_SIZE, AT(build_memory), "0", NULL, 0, 1024 * G,
      "Memory that one build may use, swap included; one that uses more is ended. 0: three quarters of the machine's memory, divided "
      "by the builds that may run at a time (builders)." },
    { "build", "build_cpu_shares", CONF_INT, AT(build_cpu_shares), "128", NULL, 2, 262144,
      "Weight of a build where all CPUs are busy. An app's process has 1024; a build alone has all CPUs whatever it is." },
    { "build", "build_pids", CONF_INT, AT(build_pids), "4096", NULL, 64, 4194304,
      "Processes and threads at a time of one build." },

    { "registry", "host", CONF_STRING, AT(registry), "", NULL, 0, 0,
      "Registry into which builds are published: HOST[:PORT][/PREFIX]. It must be set. Two servers must not have the same: "
      "each deletes old images of its apps there, by their digests, and an app of the same name on the other may run one of "
      "them. Give each a PREFIX of its own." },
    { "registry", "insecure", CONF_BOOL, AT(registry_insecure), "no", NULL, 0, 0,
      "Speak plain HTTP with it." },
    { "registry", "ca", CONF_PATH, AT(registry_ca), "", NULL, 0, 0,
      "PEM file with the certificate authority of the registry. Empty: the system's." },
    { "registry", "auth", CONF_PATH, AT(registry_auth), "", NULL, 0, 0,
      "Docker config.json with the credential, or with the credential helper, for the registry. "
      "Empty: none." },

    { "release-registry", "host", CONF_STRING, AT(release_registry), "", NULL, 0, 0,
      "Registry from which the target pulls, HOST[:PORT][/PREFIX]. Empty: the build registry. No two servers may have the "
      "same, as in [registry]." },
    { "release-registry", "insecure", CONF_BOOL, AT(release_registry_insecure), "no", NULL, 0, 0,
      "Speak plain HTTP with it." },
    { "release-registry", "ca", CONF_PATH, AT(release_registry_ca), "", NULL, 0, 0,
      "As in [registry]." },
    { "release-registry", "auth", CONF_PATH, AT(release_registry_auth), "", NULL, 0, 0,
      "As in [registry]." },

    { "target", "target", CONF_CHOICE, AT(target), "auto", "auto kubernetes docker", 0, 0,
      "Where new apps run. auto is kubernetes where a kubeconfig is set or Slipway runs in a pod, else docker. One server "
      "may have both, and apps:move moves an app: kubernetes is there where a kubeconfig is set or Slipway runs in a pod, "
      "docker where [docker] socket is set, or where apps have run on it before." },

    { "kubernetes", "kubeconfig", CONF_PATH, AT(kubeconfig), "", NULL, 0, 0,
      "File that says how the cluster is reached. Empty: the account of the pod that Slipway runs in." },
    { "kubernetes", "context", CONF_STRING, AT(kube_context), "", NULL, 0, 0,
      "Context of the kubeconfig. Empty: its current one." },
    { "kubernetes", "namespace_prefix", CONF_STRING, AT(namespace_prefix), "slipway-", NULL, 0, 0,
      "An app's namespace is this and the app's name." },
    { "kubernetes", "expose", CONF_CHOICE, AT(expose), "nodeport", "nodeport ingress loadbalancer none", 0, 0,
      "How web is reached from outside the cluster." },
    { "kubernetes", "ingress_class", CONF_STRING, AT(ingress_class), "", NULL, 0, 0,
      "Class of the Ingress objects. Empty: the cluster's default." },
    { "kubernetes", "domain", CONF_STRING, AT(domain), "", NULL, 0, 0,
      "With expose = ingress, an app answers under APP.DOMAIN." },
    { "kubernetes", "tls", CONF_BOOL, AT(tls), "no", NULL, 0, 0,
      "The Ingress asks for TLS, and URLs begin with https." },
    { "kubernetes", "node_address", CONF_STRING, AT(node_address), "", NULL, 0, 0,
      "With expose = nodeport, the host in URLs. Empty: an address of a node." },
    { "kubernetes", "image_pull_secret", CONF_PATH, AT(image_pull_secret), "", NULL, 0, 0,
      "Docker config.json with which pods pull from the release registry. Empty: none." },

    { "docker", "socket", CONF_PATH, AT(engine_socket), "", NULL, 0, 0,
      "Socket of the Docker engine that apps run on. Empty: that of [build] docker_socket, where the target is docker." },
    { "docker", "prefix", CONF_STRING, AT(container_prefix), "slipway-", NULL, 0, 0,
      "Names of containers and networks begin with it." },
    { "docker", "subnets", CONF_STRING, AT(subnets), "10.213.0.0/16", NULL, 0, 0,
      "IPv4 range, /8 to /23, out of which the network of each app gets a /24. Nothing else may use it." },
    { "docker", "router_start", CONF_BOOL, AT(router_start), "yes", NULL, 0, 0,
      "Run Caddy as a part of Slipway. no: something else runs `caddy run --config STATE/run/docker/caddy.json`." },
    { "docker", "caddy", CONF_STRING, AT(caddy), "caddy", NULL, 0, 0,
      "The caddy program: a name in PATH, or its file." },
    { "docker", "address", CONF_STRING, AT(router_address), "", NULL, 0, 0,
      "Address on which the apps' web processes are reached. Empty: all." },
    { "docker", "http_port", CONF_INT, AT(http_port), "8080", NULL, 1, 65535,
      "Port for HTTP. 80 needs a start as root." },
    { "docker", "https_port", CONF_INT, AT(https_port), "8443", NULL, 1, 65535,
      "Port for HTTPS where tls is yes." },
    { "docker", "domain", CONF_STRING, AT(router_domain), "localhost", NULL, 0, 0,
      "An app answers under APP.DOMAIN. Browsers and curl find names below localhost on this machine." },
    { "docker", "tls", CONF_BOOL, AT(router_tls), "no", NULL, 0, 0,
      "Serve HTTPS with certificates that Caddy gets by itself; the domain must lead to this machine." },
    { "docker", "acme_directory", CONF_STRING, AT(acme_directory), "", NULL, 0, 0,
      "Directory URL of the ACME server that Caddy gets the certificates from: your own, or a public one for tries. Empty: "
      "Let's Encrypt, and ZeroSSL where that fails. Its certificates must be good for an hour at least: Caddy looks every 10 "
      "minutes for those in their last third. Names below localhost have certificates of Caddy's own authority." },
    { "docker", "acme_ca", CONF_PATH, AT(acme_ca), "", NULL, 0, 0,
      "PEM file with the certificate authority of the ACME server's own address. Empty: the system's." },
    { "docker", "acme_email", CONF_STRING, AT(acme_email), "", NULL, 0, 0,
      "Address that the ACME server may write to. Empty: none. With one and no acme_directory, Let's Encrypt alone is asked." },
    { "docker", "read_only", CONF_BOOL, AT(read_only), "no", NULL, 0, 0,
      "Give the containers a read-only root file system with a writable /tmp. Apps that write elsewhere fail." },
    { "docker", "pids_limit", CONF_INT, AT(pids_limit), "1024", NULL, 16, 4194304,
      "Processes and threads of one container." },
    { "docker", "log_size", CONF_SIZE, AT(log_size), "10M", NULL, 64 * K, 1024 * G,
      "Size of one log file of a container before the next is begun." },
    { "docker", "log_files", CONF_INT, AT(log_files), "3", NULL, 1, 100,
      "Log files that are kept of a container." },

    { "release", "releases", CONF_INT, AT(releases), "4", NULL, 1, 64,
      "Releases of different apps at a time." },
    { "release", "rollout_timeout", CONF_TIME, AT(rollout_timeout), "5m", NULL, S, DAY,
      "Time in which a release's processes must all be ready." },
    { "release", "release_timeout", CONF_TIME, AT(release_timeout), "10m", NULL, S, DAY,
      "Time that the release command may take." },
    { "release", "grace_period", CONF_TIME, AT(grace_period), "30s", NULL, 0, HOUR,
      "Time between SIGTERM and SIGKILL when a process is stopped." },
    { "release", "pre_stop", CONF_TIME, AT(pre_stop), "5s", NULL, 0, HOUR,
      "Time that a web process still serves after it was told to stop, so that no request is lost." },
    { "release", "cpu_request", CONF_STRING, AT(cpu_request), "100m", NULL, 0, 0,
      "CPU that is reserved for each process, as Kubernetes writes it. Empty: none." },
    { "release", "cpu_limit", CONF_STRING, AT(cpu_limit), "1", NULL, 0, 0,
      "CPU that each process gets at most. Empty: no limit." },
    { "release", "memory_request", CONF_STRING, AT(memory_request), "128Mi", NULL, 0, 0,
      "Memory that is reserved for each process. Empty: none." },
    { "release", "memory_limit", CONF_STRING, AT(memory_limit), "512Mi", NULL, 0, 0,
      "Memory above which a process is ended. Empty: no limit." },
    { "release", "revision_history", CONF_INT, AT(revision_history), "10", NULL, 0, 100,
      "Images of an app that are kept beside the live one, so that it can be rolled back to them: those that were live last. "
      "After each release, others are deleted in the registries, where these allow it, and on the Docker engine that apps run "
      "on. A registry frees the space when it collects its garbage (Docker's by docker-registry garbage-collect, while nothing "
      "is pushed). It is also the number of old ReplicaSets that Kubernetes keeps for each process type." },
    { "release", "run_uid", CONF_INT, AT(run_uid), "1000", NULL, 1, INT_MAX,
      "Numeric user that the processes run as." },
    { "release", "max_restarts", CONF_INT, AT(max_restarts), "2", NULL, 1, 100,
      "Crashes of one process after which the release has failed." },
    { NULL },
};
