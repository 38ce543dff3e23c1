/* growth: descriptors and resident memory of each role, at the start and at the end. */
#ifndef GROWTH_H
#define GROWTH_H

#include <stdbool.h>

enum growth_role { ROLE_WATCHDOG, ROLE_PRINCIPAL, ROLE_SECONDARY, ROLE_CLIENT, ROLES };

enum {
    ALLOWED_KB = 128,
    ALLOWED_SERVER_KB = 512 /* its table of connections is touched page by page as it fills */
};

struct measure {
    int descriptors; /* of several processes of a role, the most */
    long kb;
};

struct growth {
    struct measure start[ROLES];
    struct measure end[ROLES];
};

/* Measures all roles now. */
void growth_measure(struct measure measures[ROLES]);

bool growth_is_too_much(const struct growth *growth, enum growth_role role);

const char *growth_role_name(enum growth_role role);

#endif
