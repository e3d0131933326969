#include "config.h"

#include "deployer/target.h"

static void table_print(struct buf *out)
{
    (void) buf_addstr(out, "| |");
    for (const struct target_ops *const *t = target_all; *t != NULL; t++)
        (void) buf_addf(out, " %s |", (*t)->name);
    (void) buf_addstr(out, "\n|---|");
    for (const struct target_ops *const *t = target_all; *t != NULL; t++)
        (void) buf_addstr(out, "---|");
    for (int i = 0; i < TRAITS; i++) {
        (void) buf_addf(out, "\n| %s |", target_trait_text((enum target_trait) i));
        for (const struct target_ops *const *t = target_all; *t != NULL; t++) {
            const struct target_says *s = &(*t)->says[i];

            (void) buf_addf(out, " %s%s%s |", s->can ? "yes" : "**no**", s->how[0] != '\0' ? ": " : "", s->how);
        }
    }
    (void) buf_addstr(out, "\n");
}

void target_print_markdown(struct buf *out)
{
    (void) buf_addstr(out,
                      "# Targets\n\n"
                      "An app runs on a target. `[target] target` in slipway.conf(5) is the one of new apps; a server may\n"
                      "have both, and `apps:move` moves an app from one to the other with its image and its config.\n"
                      "All commands are the same on both. This table is what the targets say of themselves.\n\n");
    table_print(out);
    (void) buf_addstr(out,
                      "\nBy an Ingress (`expose = ingress` of [kubernetes]) a controller of the cluster leads to the app. `slipway check`\n"
                      "says whether the `ingress_class` is there, but not whether its controller runs: most enter their address, which\n"
                      "`kubectl get ingress -A` shows. What is said while an app has no `web` process, whether plain HTTP leads to\n"
                      "HTTPS, and which certificate a name has without a Secret is the controller's choice. The Secret `web-tls` is\n"
                      "made by no part of Slipway: make it, or have cert-manager do so, whose annotation on the Ingress `web` in the\n"
                      "app's namespace stays through all releases. A controller learns of a process's end later than others: `pre_stop`\n"
                      "must be longer than that. Through Traefik, which waits up to 2 s between changes, none of 4,848 requests failed\n"
                      "in 8 releases with the 5 s that are the default; with 1 s 440 of 4,162 did.\n"
                      "\nTo have both on one server: `[kubernetes] kubeconfig` beside `[docker] socket` (a server on which\n"
                      "apps have run on Docker needs only the first). Then, with no request failed meanwhile:\n\n"
                      "    apps:move shop --to kubernetes\n"
                      "    apps:move --all --to kubernetes\n\n"
                      "The address is another one where the targets have other names for the app, and the old one ends with\n"
                      "what runs there. What an app keeps in files of its containers does not go along, as with any release.\n"
                      "Moved back at once, apps:move waits until what the app has left there is removed. A scheduled task that is\n"
                      "due during a move is started once, or left out: from the first object on the cluster to the last one, the\n"
                      "cluster starts it, and Docker does not.\n\n"
                      "On Docker the router's configuration changes when an app gets its address, another one, or none, or\n"
                      "another count of `web`; not with other releases. Its listening socket is replaced then, and a\n"
                      "connection of any app that waits in that instant to be accepted would be reset by the kernel: of 7,500\n"
                      "new connections in 200 changes 17 were. With `net.ipv4.tcp_migrate_req` (Linux 5.14 or newer) it goes to\n"
                      "the new socket: of 29,500 in 800 changes one was reset. The installation has it in sysctl.d, from the next\n"
                      "boot or `sysctl --system` on; `slipway check` says where it is not set.\n");
}
