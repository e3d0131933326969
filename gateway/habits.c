/* What people type who come from Heroku or Dokku, where the nearest name by spelling would lead them astray.
 * Commands that only have another name here are aliases in the command table instead. */
#include "config.h"

#include "gateway/habits.h"

#include <stdbool.h>
#include <string.h>

const struct habit habits[] = {
    { "addons: pg: psql postgres: heroku-postgresql redis: mysql: mariadb: mongo: mongodb: memcached: rabbitmq: elasticsearch: "
      "kafka: data:",
      "Slipway runs no databases; give the app the address of yours: config:set APP DATABASE_URL=@- (the value on standard input)" },
    { "open url urls", "the app's address is in apps:info APP" },
    { "auth:whoami", "who you are here is in whoami" },
    { "login logout auth:", "there is no login, your SSH key says who you are: whoami; keys:add adds another key" },
    { "certs:auto:enable certs:auto:disable certs:auto:refresh certs:generate letsencrypt:",
      "whether Slipway gets certificates by itself is a setting of the server's ([docker] tls in slipway.conf); how it stands is in "
      "certs:auto APP; domains:add names a host, certs:add takes a certificate of yours" },
    { "git:remote", "it is git that has remotes: git remote add k8s URL, with the Git URL that apps:info APP shows" },
    { "git:clone", "it is git that clones: git clone URL, with the Git URL that apps:info APP shows" },
    { "git:sync git:auth git:allow-host git:public-key git:initialize",
      "the server fetches from no other repository: git push to it, or send the files with git:from-archive" },
    { "git:report", "it is in apps:info APP" },
    { "config:edit", "get the values with config:export APP --format dotenv, and give the edited ones to config:import APP" },
    { "config:bundle", "all values come from config:export APP" },
    { "env vars secrets", "an app's variables are its config: config:list APP" },
    { "drains: logs:set vector: logging:",
      "there are no log drains: logs APP -t prints what the processes print, and what collects logs on the engine or the cluster "
      "can read it there" },
    { "pipelines: promote reviewapps: ci:",
      "there are no pipelines: apps:export APP names the live image, and git:from-image OTHER IMAGE releases it in another app "
      "without a build; apps:clone makes one like it" },
    { "buildpacks: buildpack: builder: builder-pack: builder-herokuish: builder-dockerfile: stack:",
      "the builder finds the buildpacks by the files that you push; which builder is a setting of the server's ([build] builder "
      "in slipway.conf)" },
    { "container: tags: docker:",
      "an image that was built elsewhere is released by git:from-image APP IMAGE, or by git:load-image APP with docker save in "
      "front of it" },
    { "registry:", "the registry is a setting of the server's: [registry] in slipway.conf" },
    { "tar: archive:", "the files of an archive are deployed by git:from-archive APP" },
    { "resource: limits: ps:type ps:resize dyno:type dyno:resize",
      "limits of CPU and memory are a setting of the server's, the same for all apps: [release] in slipway.conf" },
    { "ps:autoscale: autoscale:", "counts change by hand only: ps:scale APP web=3" },
    { "ps:rebuild build builds:create deploy push",
      "what builds and deploys is git push; for the same commit again: git commit --allow-empty, and push it (-o no-cache: from "
      "nothing)" },
    { "ps:wait ps:retire", "there is nothing to wait for: pushes, ps:restart and ps:scale end when the new processes serve" },
    { "ps:restore", "after a reboot processes come back by themselves; ps:start APP starts what ps:stop has stopped" },
    { "ps:inspect status", "processes are in ps APP, what the app is in apps:info APP" },
    { "dyno:restart", "ps:restart APP does that" },
    { "dynos dyno: ps:kill", "processes are in ps APP; ps:restart and ps:stop take a type of them" },
    { "checks: app-json:", "health checks stand in app.json at the top of the pushed tree, as \"healthchecks\"; scheduled tasks as \"cron\"" },
    { "nginx: caddy: traefik: haproxy: openresty: proxy: ports: http-auth: redirect:",
      "the router has no settings for one app: web listens on $PORT, and is at the address in apps:info APP; domains:add adds "
      "names" },
    { "domains:set", "domains:clear APP, then domains:add APP DOMAIN" },
    { "domains:add-global domains:set-global domains:remove-global domains:clear-global",
      "the domain of all apps is a setting of the server's: domain of [docker] or [kubernetes] in slipway.conf" },
    { "domains:wait domains:update", "a domain holds when domains:add has ended" },
    { "storage:mount storage:unmount storage:list storage:ensure-directory storage:create volumes:",
      "nothing on a process's disk outlives it: keep files in an object store or a database; what takes space is in "
      "storage:report APP" },
    { "plugin: plugins:", "there are no plugins; all commands: help" },
    { "docker-options: network: labels: annotations: scheduler: scheduler-k3s: scheduler-docker-local: ps:set",
      "that is no setting of an app's; the server's are in slipway.conf, and slipway config prints them" },
    { "features: labs:", "there is nothing to switch on; how an app's pushes go is set by apps:set APP" },
    { "members: orgs:", "who has a role in an app is in access:list APP, who is in a team in teams:info TEAM" },
    { "acl:", "roles in an app are given by access:grant APP USER ROLE, and listed by access:list APP" },
    { "apps:transfer", "access:grant APP USER own --owner does that" },
    { "apps:delete apps:remove", "apps:destroy APP does that" },
    { "rename", "apps:rename APP NEW does that" },
    { "webhooks: notifications:", "there are no webhooks: builds:attach APP ends with a push's outcome, audit APP has who changed what" },
    { "exec bash sh shell console rails rake python node",
      "commands run in the app by run APP COMMAND; ssh -t HOST run APP bash is a shell" },
    { "run:inside", "enter APP PROCESS runs a command inside a running process" },
    { "ls", "your apps are in apps:list" },
    { "tail", "logs APP -t does that" },
    { "report", "what an app is is in apps:info APP, its processes in ps:report APP" },
    { "events", "who changed what is in audit APP" },
    { "autocomplete", "completion bash (zsh, fish) prints a completion script" },
    { "cleanup", "the server removes old images by itself; what takes space is in storage:report" },
    { NULL, NULL },
};

/* Is it one of the words, or in one of the families? */
static bool fits(const char *list, const char *typed)
{
    while (*list != '\0') {
        size_t n = strcspn(list, " "), bare = list[n - 1] == ':' ? n - 1 : n;

        if (strncmp(list, typed, bare) == 0 && (typed[bare] == '\0' || (bare < n && typed[bare] == ':')))
            return true;
        list += n + strspn(list + n, " ");
    }
    return false;
}

const char *habit_answer(const char *typed)
{
    for (const struct habit *h = habits; h->typed != NULL; h++) {
        if (fits(h->typed, typed))
            return h->answer;
    }
    return NULL;
}
