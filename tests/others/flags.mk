# How the programs here are built. Understands CC=clang, CFLAGS_EXTRA=-Werror, SAN=1 (sanitizers).
CFLAGS ?= -O1 -g
SANITIZE = $(if $(SAN),-fsanitize=address$(comma)undefined -fno-omit-frame-pointer)
ALL_CFLAGS = -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic $(CFLAGS) $(SANITIZE) $(CFLAGS_EXTRA)
comma = ,

principal: principal.c .flags
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LDLIBS)

# Changes when the compiler or a flag does: then all is compiled again.
.flags: FORCE
	@echo '$(CC) $(ALL_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS)' > $@

FORCE:
.PHONY: all clean FORCE
