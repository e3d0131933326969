/* The table of commands. Help, docs/commands.md, the argument reader and the permission test are made from it. */
#include "config.h"

#include "gateway/cmd.h"

const struct command commands[] = {
    { "access:grant", "access:add", CMD_APP | CMD_AUDIT, ROLE_OWN, "APP USER|@TEAM ROLE [--owner]",
      "Give somebody, or a team, a role in an app",
      "Roles, each with all that the ones before it may: view (state, output, logs), deploy (push, cancel builds),\n"
      "operate (config, scale, restart, rollback), own (access, lock, destroy). --owner also makes the user the\n"
      "app's owner. A team's role is each member's; who has several, by themselves and by teams, has the highest.\n\n"
      "    access:grant shop carl deploy\n"
      "    access:grant shop @ops operate",
      cmd_access_grant },
    { "access:list", "access", CMD_APP, ROLE_OWN, "APP",
      "List who has a role in an app",
      "People, then teams with their members, who have the role \"through\" the team. Admins of the server may do everything in\n"
      "every app and are not listed.\n\n"
      "    access:list shop",
      cmd_access_list },
    { "access:revoke", "access:remove", CMD_APP | CMD_AUDIT, ROLE_OWN, "APP USER|@TEAM",
      "Take somebody's, or a team's, role in an app away",
      "It holds for the next command; what that user has under way goes on. A role through a team stays: access:list.\n\n"
      "    access:revoke shop carl\n"
      "    access:revoke shop @ops",
      cmd_access_revoke },
    { "apps:apply", NULL, CMD_APP | CMD_AUDIT, ROLE_OWN, "APP [--plan]",
      "Make an app what a document on standard input says",
      "The document is that of apps:export. Of a member that it has, all is made so: config that isn't in \"config\" is removed,\n"
      "people and teams who aren't in \"access\" lose their role (the owner never), types that aren't in \"formation\" get their\n"
      "default, domains that aren't in \"domains\" go; what it has no member for stays. A variable without a \"value\" keeps the one\n"
      "that it has. All of it is done with one release at most, or nothing; given again, nothing is to be done. --plan only shows\n"
      "what would change. \"image\" takes an image with its digest: one that was live here, or as git:from-image. \"target\" isn't\n"
      "changed: apps:move.\n\n"
      "    apps:apply shop --plan\n"
      "    apps:apply shop",
      cmd_apps_apply },
    { "apps:clone", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP NEW [--skip-deploy]",
      "Create an app with another app's config, counts and image",
      "NEW gets the config with its values in both scopes, counts, deploy branch and settings, and as v1 the image that is live\n"
      "in APP, with its release command. The app is yours: access, keys and the lock aren't copied, nor are releases and the\n"
      "repository, which is empty until the first push. Domains and the certificate stay APP's: a domain is one app's only. Both\n"
      "apps use the same databases until NEW's config says otherwise: --skip-deploy releases nothing yet, so that it can be\n"
      "changed first.\n\n"
      "    apps:clone shop shop-staging --skip-deploy",
      cmd_apps_clone },
    { "apps:create", "create", CMD_AUDIT, ROLE_NONE, "NAME [-b|--branch BRANCH]",
      "Create an app",
      "A name is a DNS label of at most 30 characters: small letters, digits, and - inside. The branch is the one\n"
      "that a push deploys. Who may create apps also creates one by the first push.\n\n"
      "    apps:create shop",
      cmd_apps_create },
    { "apps:destroy", "destroy", CMD_APP | CMD_AUDIT, ROLE_OWN, "APP [-c|--confirm NAME] [--force]",
      "Destroy an app with its processes, config, releases, images and repository",
      "The name is repeated so that a slip destroys nothing; --force does without.\n\n"
      "    apps:destroy shop --confirm shop",
      cmd_apps_destroy },
    { "apps:exists", NULL, CMD_APP, ROLE_VIEW, "APP",
      "Tell by the exit code whether an app is there",
      "0: it is there, and you have a role in it; 4: not.\n\n"
      "    apps:exists shop",
      cmd_apps_exists },
    { "apps:export", NULL, CMD_APP | CMD_AUDIT, ROLE_OWN, "APP [--with-config KEY]",
      "Print a whole app as one JSON document",
      "Name, deploy branch, settings, target, the live image with its digest, counts, domains, people and teams with their\n"
      "roles, and the config: names and scopes, without values. A certificate of certs:add stays here, as its key does.\n"
      "apps:import makes an app of it, apps:apply makes one so. --with-config adds the values in run scope, sealed to a key: who\n"
      "has its other half opens them, slipway unseal, and nobody else, no server either. slipway unseal --new-key FILE makes\n"
      "such a key on your machine.\n\n"
      "    apps:export shop\n"
      "    apps:export shop --with-config SP6NaFUNmGJe/qvCRDZNv7s0Y4bm6sIADBfmKy6E+Sk=",
      cmd_apps_export },
    { "apps:import", NULL, CMD_AUDIT, ROLE_NONE, "[NAME] [--skip-deploy]",
      "Create an app from a document on standard input",
      "The document is that of apps:export, and may have a \"value\" for each config variable; NAME goes before its own. The app is\n"
      "yours. Its image is released as by git:from-image, unless a variable has no value yet or --skip-deploy is given. Domains\n"
      "that another app has stay that app's, which is said. All of it is made, or nothing; only a release may fail on its own.\n\n"
      "    apps:import shop",
      cmd_apps_import },
    { "apps:info", "info apps:report", CMD_APP, ROLE_VIEW, "APP",
      "Show an app",
      "    apps:info shop",
      cmd_apps_info },
    { "apps:list", "apps", 0, ROLE_NONE, "",
      "List the apps that you have a role in",
      "Name, live release, commit, owner. Admins see all.\n\n"
      "    apps:list",
      cmd_apps_list },
    { "apps:lock", NULL, CMD_APP | CMD_AUDIT, ROLE_OWN, "APP [REASON...]",
      "Refuse pushes to an app until it is unlocked",
      "What runs goes on, and config, scale and rollback still work. The reason is shown to who pushes.\n\n"
      "    apps:lock shop database migration until noon",
      cmd_apps_lock },
    { "apps:locked", NULL, CMD_APP, ROLE_VIEW, "APP",
      "Tell by the exit code whether an app is locked",
      "0: locked, with who did it and why; 1: not.\n\n"
      "    apps:locked shop",
      cmd_apps_locked },
    { "apps:move", NULL, CMD_APP | CMD_ADMIN | CMD_AUDIT, ROLE_OWN, "[APP] --to TARGET [--all]",
      "Move an app to another target: from docker to kubernetes, or back",
      "The same image and config are started there and checked; then they are live, and what runs on the old target is\n"
      "stopped and removed, with one-off commands. Until then the old one serves, and it goes on where the move fails.\n"
      "Moved back at once, it waits until that is removed. A scheduled task that is due meanwhile starts once, or is left out.\n"
      "The release command isn't run. The address changes where the targets have other names: it is said at the end.\n"
      "An app without a live release is only noted. --all moves all apps of the server, for admins.\n"
      "docs/targets.md tells what each target can do.\n\n"
      "    apps:move shop --to kubernetes\n"
      "    apps:move --all --to kubernetes",
      cmd_apps_move },
    { "apps:plan", NULL, CMD_APP, ROLE_VIEW, "APP",
      "Show what the app's next release would change, and change nothing",
      "The live release's image with the config, counts and settings of now is compared with what runs: so this shows\n"
      "config that was set without a restart, and what somebody has changed by other means. \"-\" is what is there, \"+\" what\n"
      "would be; of the config there are names only. On Kubernetes the cluster itself answers (a dry run). What stands\n"
      "behind \"!\" would make the release fail, or stay. The same of a push: git push -o plan.\n\n"
      "    apps:plan shop",
      cmd_apps_plan },
    { "apps:rename", NULL, CMD_APP | CMD_AUDIT, ROLE_OWN, "APP NEW",
      "Give an app another name",
      "What runs goes on: a release changes the app's address, and the name with it, or neither. Releases, config, access, keys\n"
      "and audit stay the app's. The old address and the old Git URL are free from then on: clones, CI jobs and scripts must\n"
      "be told the new name. Objects in the cluster or the engine and images in the registry keep what they are called, which\n"
      "apps:info shows.\n\n"
      "    apps:rename shop store",
      cmd_apps_rename },
    { "apps:set", "git:set", CMD_APP | CMD_AUDIT, ROLE_OWN, "APP PROPERTY VALUE",
      "Set what an app's pushes do",
      "deploy-branch: the branch whose push is deployed; what is live is that branch from now on.\n"
      "on-disconnect: what becomes of a build when the person who pushed goes away. continue (the default): it goes\n"
      "live all the same; cancel: it ends as by builds:cancel. apps:info --json shows both.\n\n"
      "    apps:set shop deploy-branch trunk\n"
      "    apps:set shop on-disconnect cancel",
      cmd_apps_set },
    { "apps:unlock", NULL, CMD_APP | CMD_AUDIT, ROLE_OWN, "APP",
      "Accept pushes to an app again",
      "    apps:unlock shop",
      cmd_apps_unlock },
    { "audit", "audit:list", CMD_APP | CMD_ADMIN, ROLE_OWN, "[APP] [-n|--num LINES]",
      "Show who changed what, newest first",
      "Every command that changes something, also a refused one: time, user, app, command, arguments without\n"
      "values, result, address, key.\n\n"
      "    audit shop -n 20",
      cmd_audit },
    { "builds:attach", NULL, CMD_BUILD, ROLE_VIEW, "APP|BUILD",
      "Follow a build and its release to the end",
      "Takes a build's number, or an app for its newest build. A push that lost its connection is joined again\n"
      "this way. Exit code 0: live. With --json the build's row comes at the end; the rest goes to standard\n"
      "error.\n\n"
      "    builds:attach 57",
      cmd_builds_attach },
    { "builds:cancel", NULL, CMD_BUILD | CMD_AUDIT, ROLE_DEPLOY, "APP|BUILD",
      "Stop a build, or its release, and keep what is live",
      "Takes a build's number, or an app for its newest build that has not ended; older ones go on.\n\n"
      "    builds:cancel 57",
      cmd_builds_cancel },
    { "builds:list", "builds", CMD_APP, ROLE_VIEW, "APP [-n|--num LINES]",
      "List an app's builds, newest first",
      "Number, commit, state, release, user, time, reason.\n\n"
      "    builds:list shop",
      cmd_builds_list },
    { "builds:output", NULL, CMD_BUILD, ROLE_VIEW, "APP|BUILD",
      "Show what a build and its release have printed",
      "Takes a build's number, or an app for its newest build.\n\n"
      "    builds:output 57",
      cmd_builds_output },
    { "certs:add", "certs:update", CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP",
      "Serve an app's host names with your own certificate",
      "Standard input has the certificate with its chain and the private key, as PEM, in any order. Checked: the key is the\n"
      "certificate's and has no passphrase, it is valid now, and it is for one of the app's names at least (the others go on as\n"
      "they were). One that is there already is replaced. The key is sealed as config values are, and never shown. A live app\n"
      "gets a release that changes nothing else; rollback leaves the certificate as it is. On Docker it needs [docker] tls =\n"
      "yes, on Kubernetes expose = ingress.\n\n"
      "    certs:add shop < shop.pem",
      cmd_certs_add },
    { "certs:auto", NULL, CMD_APP, ROLE_VIEW, "APP",
      "Show the certificate of each host name, and why one doesn't come",
      "On Docker with HTTPS: what is shown to a visitor of each name, by whom and until when. Where Caddy can't get one by itself, or\n"
      "no new one in time, the ACME server's reason stands there; Caddy tries again by itself for 30 days.\n\n"
      "    certs:auto shop",
      cmd_certs_auto },
    { "certs:info", "certs certs:report", CMD_APP, ROLE_VIEW, "APP",
      "Show an app's own certificate",
      "Names, dates, subject, issuer, fingerprint.\n\n"
      "    certs:info shop",
      cmd_certs_info },
    { "certs:remove", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP",
      "Serve an app without a certificate of its own again",
      "On Docker Caddy gets one for each name by itself then. A live app gets a release that changes nothing else.\n\n"
      "    certs:remove shop",
      cmd_certs_remove },
    { "completion", NULL, 0, ROLE_NONE, "SHELL",
      "Print a completion script for the client contrib/slipway",
      "SHELL: bash, zsh or fish. The script completes commands, options, apps, your teams and git remotes.\n\n"
      "    completion bash",
      cmd_completion },
    { "config:clear", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP [--no-restart]",
      "Remove all config variables and release the app without them",
      "rollback brings them back.\n\n"
      "    config:clear shop",
      cmd_config_clear },
    { "config:diff", NULL, CMD_APP | CMD_AUDIT, ROLE_VIEW, "APP FROM [TO] [--show]",
      "Show which config variables differ between two releases",
      "Without a second version, against the live release. + added, - removed, ~ changed. Values are masked; --show\n"
      "needs the role operate and shows those in run scope.\n\n"
      "    config:diff shop v7 v9",
      cmd_config_diff },
    { "config:export", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP [--format FORMAT]",
      "Print all config variables in run scope with their values",
      "FORMAT: env (lines for a shell, the default), dotenv (what config:import reads), docker-args, json, yaml.\n\n"
      "    config:export shop --format dotenv",
      cmd_config_export },
    { "config:get", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP NAME",
      "Show the value of a config variable",
      "The value and a newline; with --json exactly. Values in build scope only can be replaced, not shown.\n\n"
      "    config:get shop DATABASE_URL",
      cmd_config_get },
    { "config:import", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP [--build] [--run] [--no-restart]",
      "Set config variables from a dotenv file on standard input",
      "Lines NAME=VALUE, also with export in front; # begins a comment. Values may be quoted: '...' is literal; in\n"
      "\"...\" are \\n, \\r, \\t, and \\ before \", \\, $ and `. Quoted values may have several lines; nothing is\n"
      "expanded. All are set, or none; what the file does not name stays. Options as with config:set.\n\n"
      "    config:import shop",
      cmd_config_import },
    { "config:keys", NULL, CMD_APP, ROLE_VIEW, "APP",
      "List the names of an app's config variables",
      "    config:keys shop",
      cmd_config_keys },
    { "config:list", "config config:show", CMD_APP, ROLE_VIEW, "APP [--show]",
      "List an app's config variables, with masked values",
      "--show needs the role operate and shows the values in run scope.\n\n"
      "    config:list shop",
      cmd_config_list },
    { "config:set", "config:add", CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP [NAME=VALUE...] [--from-file NAME=PATH] [--build] [--run] [--no-restart]",
      "Set config variables and release the app with them",
      "All are set, or none. NAME=@- takes the value from standard input, byte for byte. --from-file takes it from a file on\n"
      "your machine, which only the client contrib/slipway can read; with ssh: NAME=@- < PATH. Values are UTF-8 text of at\n"
      "most 64 KiB. Without a scope, or with --run, a value is an environment variable of the processes; with\n"
      "--build of the build; with both, of both. A value in build scope is used by the next push.\n"
      "A live app gets a release; if that fails, the values stay set for the next one and the live release keeps\n"
      "its own. --no-restart makes no release.\n\n"
      "    config:set shop GREETING=hello\n"
      "    config:set shop 'MOTTO=\"two words\"'\n"
      "    config:set shop DATABASE_URL=@-",
      cmd_config_set },
    { "config:unset", "config:remove", CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP NAME... [--no-restart]",
      "Remove config variables and release the app without them",
      "All are removed, or none.\n\n"
      "    config:unset shop GREETING",
      cmd_config_unset },
    { "cron:list", NULL, CMD_APP, ROLE_VIEW, "APP",
      "List the scheduled tasks of the live release",
      "Id, schedule (UTC), when it is due next, command. Tasks stand in the pushed app.json as \"cron\". Runs are in\n"
      "run:list as cron.ID-NUMBER, with their output in run:logs.\n\n"
      "    cron:list shop",
      cmd_cron_list },
    { "cron:resume", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP ID",
      "Let a suspended task run on schedule again",
      "    cron:resume shop 1a2b3c4d",
      cmd_cron_resume },
    { "cron:run", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP ID [--detach] [--no-tty]",
      "Run a scheduled task now",
      "Also one that is suspended, or that runs already. As with run: its output comes here, the exit code is its own, and\n"
      "it is ended when you go away. --detach: as with run:detached.\n\n"
      "    cron:run shop 1a2b3c4d",
      cmd_cron_run },
    { "cron:suspend", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP ID",
      "Keep a task from running on schedule until cron:resume",
      "A live app gets a release. What runs goes on; later pushes and rollbacks leave it suspended.\n\n"
      "    cron:suspend shop 1a2b3c4d",
      cmd_cron_suspend },
    { "domains:add", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP DOMAIN...",
      "Give an app more host names",
      "The name's DNS record must lead to the server, or to the cluster's Ingress, which is your part. All are added, or none. A\n"
      "live app gets a release that changes nothing else. The app's first name stays; a domain is one app's only. With [docker]\n"
      "tls = yes Caddy gets a certificate for each by itself, as soon as the name leads here; certs:add gives your own.\n"
      "rollback and apps:rename leave domains as they are; apps:export and apps:import take them along, apps:clone doesn't.\n\n"
      "    domains:add shop www.example.com example.com",
      cmd_domains_add },
    { "domains:clear", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP",
      "Take all host names that domains:add gave from an app",
      "    domains:clear shop",
      cmd_domains_clear },
    { "domains:list", "domains domains:report", CMD_APP, ROLE_VIEW, "APP",
      "List the host names that domains:add gave an app",
      "    domains:list shop",
      cmd_domains_list },
    { "domains:remove", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP DOMAIN...",
      "Take host names from an app",
      "All are removed, or none. A live app gets a release that changes nothing else.\n\n"
      "    domains:remove shop www.example.com",
      cmd_domains_remove },
    { "enter", "ps:exec", CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP PROCESS [--no-tty] [--] [COMMAND...]",
      "Run a command inside a running process, or a shell",
      "The process is named as ps does: web.1; web is one of them. What the command changes is gone with the\n"
      "process. Words, terminal and exit code are as with run; without a command it is a shell.\n\n"
      "    enter shop web.1\n"
      "    enter shop worker.2 ps aux",
      cmd_enter },
    { "git:from-archive", NULL, CMD_APP | CMD_AUDIT, ROLE_DEPLOY, "APP [SOURCE]",
      "Deploy the files of an archive from standard input",
      "A tar, tar.gz or zip archive becomes a commit on top of the deploy branch, \"from archive\", which is built and\n"
      "released as a push is; exit code 0 says that it is live, and the branch is at that commit then. Where all lies in\n"
      "one folder, that folder is left out. SOURCE is - and may be left out. Entries with absolute paths, \"..\", .git, links out of the tree or devices\n"
      "are refused, and so is the whole archive; sizes are limited as for pushes. It is read whole before anything\n"
      "happens. Nothing is fetched from a URL; for that: curl -sSL URL | ssh HOST git:from-archive shop -\n\n"
      "    git:from-archive shop -",
      cmd_git_from_archive },
    { "git:from-image", NULL, CMD_APP | CMD_AUDIT, ROLE_DEPLOY, "APP IMAGE",
      "Release an image that was built elsewhere",
      "IMAGE is REGISTRY/NAME@sha256:... or REGISTRY/NAME:TAG; the digest that a tag names now is looked up once and\n"
      "said. It is copied to the app's repository in the release registry; other registries than the server's are spoken\n"
      "to with https, and with the login that [registry] auth has for them. The processes are those of buildpacks' label\n"
      "in the image; without it, Entrypoint and Cmd are web. As every app, it must listen on $PORT, and runs as a user\n"
      "that isn't root. Another app's image needs the role deploy there.\n"
      "No commit is live then: a clone gives the last one that was, and a push of it deploys again.\n\n"
      "    git:from-image shop docker.io/library/hello:1.2",
      cmd_git_from_image },
    { "git:load-image", NULL, CMD_APP | CMD_AUDIT, ROLE_DEPLOY, "APP [IMAGE]",
      "Release an image from standard input, as docker save writes it",
      "The archive (tar or tar.gz) is what docker save, podman save or skopeo's docker-archive write. IMAGE is the name with\n"
      "tag of an image in it; - or nothing stands for the only one. It is read whole before anything happens: the digests\n"
      "of its layers and configuration are checked, and the image must be one for Linux. Then it is published in the app's\n"
      "repository, and released as by git:from-image. Layers go as they are: docker save writes them uncompressed. [git]\n"
      "max_image limits its size. From an engine: docker save my/app:1.2 | ssh git@HOST git:load-image shop -\n\n"
      "    git:load-image shop - < image.tar\n"
      "    git:load-image shop my/app:1.2 < images.tar",
      cmd_git_load_image },
    { "help", NULL, 0, ROLE_NONE, "[COMMAND]",
      "List the commands, or explain one",
      "A family's name lists its commands.\n\n"
      "    help config:set",
      cmd_help },
    { "keys:add", "ssh-keys:add", CMD_AUDIT, ROLE_NONE,
      "[NAME] [KEY...] [-u|--user USER] [-d|--deploy APP] [--verbs VERBS] [--from RANGE] [--expires TIME]",
      "Add an SSH public key",
      "The key is the one line of a .pub file, as an argument or on standard input. Without a name its comment is\n"
      "the name. Admins add keys for others with --user.\n"
      "--deploy makes a deploy key, for a CI job: it reaches this app only, with your role in it but at most operate,\n"
      "and does nothing but its verbs: push (the default), fetch, and names of commands, separated by commas. --from\n"
      "is the address or range that it may come from, --expires the time that it holds (12h, 90d).\n\n"
      "    keys:add laptop < ~/.ssh/id_ed25519.pub\n"
      "    keys:add ci --deploy shop --verbs push,logs --expires 90d < ci.pub",
      cmd_keys_add },
    { "keys:list", "keys ssh-keys:list", 0, ROLE_NONE, "[-u|--user USER] [--all]",
      "List SSH public keys with their last use",
      "Deploy keys with what binds them. Your own; admins see those of others with --user or --all.\n\n"
      "    keys:list",
      cmd_keys_list },
    { "keys:remove", "ssh-keys:remove", CMD_AUDIT, ROLE_NONE, "NAME|FINGERPRINT [-u|--user USER]",
      "Remove an SSH public key",
      "    keys:remove laptop",
      cmd_keys_remove },
    { "logs", NULL, CMD_APP, ROLE_VIEW, "APP [-t|--tail] [-n|--num LINES] [-p|--process TYPE] [--since TIME]",
      "Show what an app's processes print",
      "The last 100 lines of all processes together; -t goes on until you stop it, and a line says how many are left out\n"
      "where your connection takes fewer than there are. -p takes a type (web), one instance (web.1), build or release for\n"
      "what builds and releases have printed, or router for what came to the app's address, without what follows the ? of a\n"
      "path; --since a time with its unit (30s, 10m, 1h, 2d): the lines from then on, but no more than the last 10000,\n"
      "and of no more than 100 builds or releases; a line in front says so.\n"
      "A process's lines go with it, soon after another has taken its place. What failed (logs:failed) and what builds and\n"
      "releases print is kept. On Kubernetes the router is not Slipway's, and has its own log.\n\n"
      "    logs shop -t -p web",
      cmd_logs },
    { "logs:failed", NULL, CMD_APP, ROLE_VIEW, "APP [VERSION]",
      "Show the output of what has failed last",
      "A build or a release, or the failed release that is named. A push that was refused is found here again.\n\n"
      "    logs:failed shop",
      cmd_logs_failed },
    { "maintenance:off", "maintenance:disable", CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP",
      "Show the app at its address again",
      "    maintenance:off shop",
      cmd_maintenance_off },
    { "maintenance:on", "maintenance:enable", CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP",
      "Show a maintenance page at the app's address",
      "Requests are answered with 503 and Retry-After from then on; the processes go on, and so do other addresses of theirs.\n"
      "No release is made: pushes, rollbacks, scaling and restarts work as always and leave it on. Only on the Docker target.\n\n"
      "    maintenance:on shop",
      cmd_maintenance_on },
    { "maintenance:report", "maintenance", CMD_APP, ROLE_VIEW, "APP",
      "Tell whether the maintenance page is shown",
      "on or off.\n\n"
      "    maintenance:report shop",
      cmd_maintenance_report },
    { "ps", "ps:list", CMD_APP, ROLE_VIEW, "APP",
      "List an app's running processes",
      "Name, state, release, age, restarts, reason.\n\n"
      "    ps shop",
      cmd_ps },
    { "ps:report", NULL, CMD_APP, ROLE_VIEW, "APP",
      "Show how many processes are wanted and run, by type",
      "Type, wanted, running, ready, restarts.\n\n"
      "    ps:report shop",
      cmd_ps_report },
    { "ps:restart", "restart", CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP [TYPE]",
      "Restart processes without downtime",
      "All, or those of one type: new ones start and serve before the old ones stop.\n\n"
      "    ps:restart shop web",
      cmd_ps_restart },
    { "ps:scale", "scale", CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP [TYPE=COUNT...]",
      "Show or change how many processes of each type run",
      "TYPE=COUNT sets, TYPE+COUNT and TYPE-COUNT change. All words hold, or none. A live app gets a release.\n\n"
      "    ps:scale shop web=2 worker+1",
      cmd_ps_scale },
    { "ps:start", "start", CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP [TYPE]",
      "Start what ps:stop has stopped, at the counts that it had",
      "All types, or one: a named type that never ran is started once.\n\n"
      "    ps:start shop",
      cmd_ps_start },
    { "ps:stop", "stop", CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP [TYPE]",
      "Stop all processes, or those of one type, until ps:start",
      "A live app gets a release with a count of 0. Pushes and changes of config do not start them.\n\n"
      "    ps:stop shop worker",
      cmd_ps_stop },
    { "releases", "releases:list", CMD_APP, ROLE_VIEW, "APP [-n|--num LINES]",
      "List an app's releases, newest first",
      "Version, change, state, user, time.\n\n"
      "    releases shop",
      cmd_releases },
    { "releases:diff", NULL, CMD_APP, ROLE_VIEW, "APP FROM [TO]",
      "Show what differs between two releases",
      "Code: the commits between, as git log --oneline has them (+ new, - taken back; both where the history was\n"
      "rewritten), at most 50 of each. Then image, names of the config, processes, objects in the target with the fields\n"
      "that differ. Without a second version, against the live release.\n\n"
      "    releases:diff shop v7 v9",
      cmd_releases_diff },
    { "releases:info", NULL, CMD_APP, ROLE_VIEW, "APP [VERSION]",
      "Show a release, the live one by default",
      "Change, user, commit, image, processes, names of the config and which of them the release before has not, or\n"
      "has otherwise, objects in the target, how long each step took.\n\n"
      "    releases:info shop v7",
      cmd_releases_info },
    { "releases:output", NULL, CMD_APP, ROLE_VIEW, "APP [VERSION]",
      "Show what a release has printed, the newest by default",
      "The release command's output and the rollout.\n\n"
      "    releases:output shop v7",
      cmd_releases_output },
    { "releases:retry", NULL, CMD_APP | CMD_AUDIT, ROLE_DEPLOY, "APP [VERSION]",
      "Release the image of a failed release again",
      "Without a version, the newest release, which must have failed. Config and scale are the app's of now; nothing\n"
      "is built. A release that is older than the live one is not retried: rollback, or push. One that would have moved or renamed\n"
      "the app isn't either: apps:move, apps:rename.\n\n"
      "    releases:retry shop v8",
      cmd_releases_retry },
    { "repo:gc", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP",
      "Make an app's repository smaller",
      "Its packs become one; what no branch, tag or recent build needs is removed when it is two weeks old. The server does so\n"
      "by itself when many pushes have come. Pushes and fetches go on meanwhile; going away doesn't end it.\n\n"
      "    repo:gc shop",
      cmd_repo_gc },
    { "repo:purge-cache", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP",
      "Remove an app's build cache",
      "The next build begins from nothing, as with git push -o no-cache: it downloads what buildpacks had kept, and no earlier\n"
      "image is used again. While a build of the app runs, the answer is exit code 5.\n\n"
      "    repo:purge-cache shop",
      cmd_repo_purge_cache },
    { "rollback", "releases:rollback", CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP [VERSION]",
      "Release an earlier release again: its image, config and scale",
      "Without a version, the one that was live before. Nothing is built. The server keeps the images that were live last (10,\n"
      "unless slipway.conf(5) says otherwise: revision_history); to go back further, push the commit again.\n\n"
      "    rollback shop v7",
      cmd_rollback },
    { "run", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE,
      "APP [-e|--env NAME=VALUE]... [--process TYPE] [--ttl TIME] [--no-tty] [--] [COMMAND...]",
      "Run a one-off command with the live release's image and config",
      "It gets standard input, standard output and standard error as they are, or a terminal where ssh has one (ssh\n"
      "-t); --no-tty refuses it. The exit code is the command's own; a failure of Slipway's is told on standard\n"
      "error. It is ended when you go away, and after --ttl (30s, 10m, 1h, 2d; by default 24h).\n"
      "Several words are a program and its arguments, exactly. One word with blanks in it is a line for a shell (bash\n"
      "where the image has it); ssh takes one layer of quotes away, so such a line is quoted twice. Options stand\n"
      "before the command. -e adds or replaces a variable, for this command. --process runs what that process type\n"
      "runs. The image must have sh.\n\n"
      "    run shop rake db:migrate\n"
      "    run shop \"'rake db:migrate && echo done'\"\n"
      "    run shop -e DEBUG=1 -- python3 -V",
      cmd_run },
    { "run:detached", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE,
      "APP [-e|--env NAME=VALUE]... [--process TYPE] [--ttl TIME] [--] [COMMAND...]",
      "Start a one-off command that goes on by itself",
      "Prints its name. Options and words as with run. For a day after its end it is in run:list, with its output in\n"
      "run:logs.\n\n"
      "    run:detached shop --ttl 2h rake reindex",
      cmd_run_detached },
    { "run:list", NULL, CMD_APP, ROLE_OPERATE, "APP",
      "List an app's one-off commands",
      "Name, state, exit code or age, user, command.\n\n"
      "    run:list shop",
      cmd_run_list },
    { "run:logs", NULL, CMD_APP, ROLE_OPERATE, "APP NAME [-t|--tail]",
      "Show what a one-off command has printed",
      "-t goes on until it ends, or you stop it.\n\n"
      "    run:logs shop run.48213",
      cmd_run_logs },
    { "run:stop", NULL, CMD_APP | CMD_AUDIT, ROLE_OPERATE, "APP NAME",
      "End a one-off command, or forget one that has ended",
      "It gets SIGTERM, and SIGKILL ten seconds later.\n\n"
      "    run:stop shop run.48213",
      cmd_run_stop },
    { "secrets:rotate", NULL, CMD_ADMIN | CMD_AUDIT, ROLE_NONE, "",
      "Replace the keys that config values are sealed to, while apps run",
      "Builder and deployer each make a new key pair and seal every stored value anew, also those of earlier releases; the\n"
      "former secret keys are destroyed when no value is left that needs them. Values stay what they are: no app is\n"
      "restarted, pushes and config:set go on, rollback works. Going away, or a crash, interrupts nothing: it goes on where it\n"
      "was. A backup from before is read with the keys of that backup only: keep them as long as the backup.\n\n"
      "    secrets:rotate",
      cmd_secrets_rotate },
    { "storage:report", "storage", CMD_APP | CMD_ADMIN, ROLE_VIEW, "[APP]",
      "Show what takes space",
      "Without an app, for admins of the server: how much is free, what the state folder and the Docker engine hold, and all apps,\n"
      "largest first. Of an app: its repository; its build cache; its images on the engine, without layers that others have, too;\n"
      "its images in the build registry, each layer once. \"-\" stands for what isn't known. To make it less: repo:gc,\n"
      "repo:purge-cache, revision_history in slipway.conf(5), apps:destroy.\n\n"
      "    storage:report\n"
      "    storage:report shop",
      cmd_storage_report },
    { "teams:add", NULL, CMD_ADMIN | CMD_AUDIT, ROLE_NONE, "TEAM USER",
      "Add a user to a team",
      "From the next command on, that user has the team's roles.\n\n"
      "    teams:add ops carl",
      cmd_teams_add },
    { "teams:create", NULL, CMD_ADMIN | CMD_AUDIT, ROLE_NONE, "NAME",
      "Create a team",
      "A team is people together: what role it has in an app (access:grant APP @TEAM ROLE), each member has. A member whose own\n"
      "role is higher keeps that.\n\n"
      "    teams:create ops",
      cmd_teams_create },
    { "teams:destroy", NULL, CMD_ADMIN | CMD_AUDIT, ROLE_NONE, "NAME [-c|--confirm NAME] [--force]",
      "Destroy a team with all its roles",
      "Its members stay users, with what roles they have otherwise. The name is repeated so that a slip destroys nothing;\n"
      "--force does without.\n\n"
      "    teams:destroy ops --confirm ops",
      cmd_teams_destroy },
    { "teams:info", NULL, 0, ROLE_NONE, "NAME",
      "Show a team's members, and the apps in which it has a role",
      "Of a team that you are a member of; admins of any.\n\n"
      "    teams:info ops",
      cmd_teams_info },
    { "teams:list", "teams", 0, ROLE_NONE, "",
      "List the teams that you are a member of",
      "Name, members, apps in which it has a role. Admins see all.\n\n"
      "    teams:list",
      cmd_teams_list },
    { "teams:remove", NULL, CMD_ADMIN | CMD_AUDIT, ROLE_NONE, "TEAM USER",
      "Remove a user from a team",
      "The team's roles are gone for that user's next command; what is under way goes on.\n\n"
      "    teams:remove ops carl",
      cmd_teams_remove },
    { "users:add", NULL, CMD_ADMIN | CMD_AUDIT, ROLE_NONE, "NAME [--create] [--admin]",
      "Add a user",
      "--create: may create apps. --admin: may do everything on this server.\n\n"
      "    users:add carl --create",
      cmd_users_add },
    { "users:list", "users", CMD_ADMIN, ROLE_NONE, "",
      "List the users",
      "    users:list",
      cmd_users_list },
    { "users:remove", NULL, CMD_ADMIN | CMD_AUDIT, ROLE_NONE, "NAME",
      "Remove a user with all keys, roles and memberships",
      "Refused for the last admin, and for who owns apps: give them to somebody first (access:grant APP USER own\n"
      "--owner).\n\n"
      "    users:remove carl",
      cmd_users_remove },
    { "users:set", NULL, CMD_ADMIN | CMD_AUDIT, ROLE_NONE, "NAME ROLE",
      "Change what a user may do on the server",
      "ROLE: user, create (may also create apps) or admin (may do everything), from the next command on. Roles in apps stay.\n"
      "Refused for the last admin.\n\n"
      "    users:set carl create",
      cmd_users_set },
    { "version", NULL, 0, ROLE_NONE, "",
      "Show the server's version",
      "    version",
      cmd_version },
    { "whoami", NULL, 0, ROLE_NONE, "",
      "Show who you are to the server",
      "Name, teams, the key that you came with, address.\n\n"
      "    whoami",
      cmd_whoami },
    { 0 },
};
