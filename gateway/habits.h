/* Commands that people type by habit, from Heroku and Dokku, and that are none here: what there is instead. */
#ifndef SLIPWAY_GATEWAY_HABITS_H
#define SLIPWAY_GATEWAY_HABITS_H

struct habit {
    const char *typed; /* words, separated by spaces; one that ends in ":" is a whole family, with and without what follows */
    const char *answer; /* goes behind "... is no command: "; names of commands in it are real ones (tested) */
};

/* All of them; the last one's typed is NULL. Of several that fit, the first holds. */
extern const struct habit habits[];

/* What there is instead of a command that isn't here; NULL where nobody is known to type it. */
const char *habit_answer(const char *typed);

#endif
