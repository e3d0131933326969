/* Telling a service manager how far the server is: sd_notify(3)'s protocol, one datagram. */
#ifndef SLIPWAY_DAEMON_NOTIFY_H
#define SLIPWAY_DAEMON_NOTIFY_H

/* Sends "READY=1", "STOPPING=1" or the like to the socket that NOTIFY_SOCKET names; nothing where it
 * is not set. A manager that does not listen is no failure of ours, so there is no result. */
void notify_send(const char *text);

#endif
