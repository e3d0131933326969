/* Why no buildpack may have known a tree. */
#ifndef SLIPWAY_BUILDER_MISPLACED_H
#define SLIPWAY_BUILDER_MISPLACED_H

/* Looks into the folder `tree`, and into the folders right below it, for files that buildpacks go by: one that is there, that
 * is in a folder below, or whose name is spelt with other letters' case. Returns a sentence about the first of these and what
 * to do (`branch`: the app's deploy branch), which the caller frees, or NULL. Follows no symbolic link; what can't be read isn't there. */
char *misplaced(const char *tree, const char *branch);

#endif
