/* slipway unseal: on the machine of a person who has the secret key to values of apps:export. */
#ifndef SLIPWAY_DAEMON_UNSEAL_H
#define SLIPWAY_DAEMON_UNSEAL_H

/* Reads a document from standard input and prints it with its values, opened with the key in the file. Returns the exit code. */
int unseal_run(const char *key_file);

/* Makes a secret key in a new file that only its owner reads, and prints the public one. */
int unseal_new_key(const char *key_file);

#endif
