/* See growth.h. */
#include "growth.h"

#include "census.h"
#include "crowd.h"
#include "story.h"
#include "subject.h"

static void include(struct measure *most, pid_t pid)
{
    int descriptors = census_descriptors(pid);
    long kb = census_resident_kb(pid);

    if (descriptors > most->descriptors)
        most->descriptors = descriptors;
    if (kb > most->kb)
        most->kb = kb;
}

void growth_measure(struct measure measures[ROLES])
{
    for (int role = 0; role < ROLES; role++)
        measures[role] = (struct measure){ 0, 0 };
    include(&measures[ROLE_WATCHDOG], subject_pid());
    include(&measures[ROLE_PRINCIPAL], story.servers[PRINCIPAL].pid);
    for (int number = 1; number <= SECONDARIES; number++)
        include(&measures[ROLE_SECONDARY], story.servers[number].pid);
    for (int i = 0; i < CLIENTS; i++)
        include(&measures[ROLE_CLIENT], crowd_pid(i));
}

bool growth_is_too_much(const struct growth *growth, enum growth_role role)
{
    int allowed_kb = role == ROLE_PRINCIPAL || role == ROLE_SECONDARY ? ALLOWED_SERVER_KB : ALLOWED_KB;

    return growth->end[role].descriptors > growth->start[role].descriptors
        || growth->end[role].kb - growth->start[role].kb > allowed_kb;
}

const char *growth_role_name(enum growth_role role)
{
    static const char *const names[ROLES] = { "watchdog", "principal", "secondary", "client" };

    return names[role];
}
