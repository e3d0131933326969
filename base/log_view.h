/* What people see of logs is the same wherever the lines come from: processes (deployer), builds and releases (gateway). */
#ifndef SLIPWAY_BASE_LOG_VIEW_H
#define SLIPWAY_BASE_LOG_VIEW_H

/* The past of a log is held in memory until it is in order, so no more lines of it are shown. */
#define LOG_PAST_MAX 10000
/* Where nobody has asked for so many, and there are older ones, a line of "slipway" in front says so (printf style, for
 * LOG_PAST_MAX). */
#define LOG_LEFT_OUT "older lines are left out here: the last %d are shown"

/* Added to the nice value: who only looks on stands back behind pushes and releases; a target slows down with its reader. */
#define FOLLOW_NICE 19

#endif
