/* See kinds.h. */
#define _XOPEN_SOURCE 700   /* System V: not in POSIX's base */
#define _DEFAULT_SOURCE     /* MAP_ANONYMOUS: POSIX has it since 2024 */
#include "kinds.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

enum { SIZE = SIZE_MIB << 20 };

static char posix_name[64];
static key_t system_v_key;

void name_kinds(pid_t owner)
{
    (void)snprintf(posix_name, sizeof posix_name, "/osps-experiment-%ld", (long)owner);
    system_v_key = (key_t)(0x05050000 + (long)owner % 0x1000000);
}

static void *map(int fd, int more_flags)
{
    void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | more_flags, fd, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static void *make_anonymous(void)
{
    return map(-1, MAP_ANONYMOUS);
}

/* There is no name to ask for: a stranger can make the same call, and has other memory. */
static int look_anonymous(void)
{
    unsigned char *memory = make_anonymous();
    int value = memory == NULL ? NOTHING : memory[0];

    if (memory != NULL)
        (void)munmap(memory, SIZE);
    return value;
}

static void *make_posix(void)
{
    int fd = shm_open(posix_name, O_CREAT | O_EXCL | O_RDWR, 0600);
    void *memory = NULL;

    if (fd == -1)
        return NULL;
    if (ftruncate(fd, SIZE) == 0)
        memory = map(fd, 0);
    (void)close(fd);
    return memory;
}

static int look_posix(void)
{
    int fd = shm_open(posix_name, O_RDWR, 0);
    unsigned char *memory;
    int value;

    if (fd == -1)
        return NOTHING;
    memory = map(fd, 0);
    (void)close(fd);
    if (memory == NULL)
        return NOTHING;
    value = memory[0];
    (void)munmap(memory, SIZE);
    return value;
}

static int remove_posix(void)
{
    return shm_unlink(posix_name);
}

static void *make_system_v(void)
{
    int id = shmget(system_v_key, SIZE, IPC_CREAT | IPC_EXCL | 0600);
    void *memory = id == -1 ? NULL : shmat(id, NULL, 0);

    return memory == (void *)-1 ? NULL : memory;
}

static int look_system_v(void)
{
    int id = shmget(system_v_key, 0, 0);
    unsigned char *memory;
    int value;

    if (id == -1)
        return NOTHING;
    memory = shmat(id, NULL, SHM_RDONLY);
    if (memory == (void *)-1)
        return NOTHING;
    value = memory[0];
    (void)shmdt(memory);
    return value;
}

static int remove_system_v(void)
{
    int id = shmget(system_v_key, 0, 0);

    return id == -1 ? -1 : shmctl(id, IPC_RMID, NULL);
}

static void unmap(void *memory)
{
    (void)munmap(memory, SIZE);
}

static void detach(void *memory)
{
    (void)shmdt(memory);
}

const struct kind kinds[KINDS] = {
    { "anonymous mmap", make_anonymous, look_anonymous, NULL, unmap },
    { "POSIX shm_open", make_posix, look_posix, remove_posix, unmap },
    { "System V shmget", make_system_v, look_system_v, remove_system_v, detach },
};
