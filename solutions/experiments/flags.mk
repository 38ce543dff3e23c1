# What every step's Makefile shares: the dialect, the warnings, the dependencies.

CFLAGS     = -O2 -g
LDLIBS     = -lrt
STANDARD   = -std=c11 -D_POSIX_C_SOURCE=200809L
WARNINGS   = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
             -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2
ifdef SAN
SANITIZE   = -fsanitize=address,undefined -fno-omit-frame-pointer
endif
ALL_CFLAGS = $(STANDARD) $(WARNINGS) $(CFLAGS) $(SANITIZE) $(CFLAGS_EXTRA)

all: $(PROGRAMS)

# -MMD writes beside each object the headers it was made from.
%.o: %.c .flags
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Changes when the compiler or a flag does: then all is compiled again.
.flags: FORCE
	@echo '$(CC) $(ALL_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS)' > $@

clean:
	rm -f $(PROGRAMS) *.o *.d .flags

.PHONY: all clean FORCE
-include $(wildcard *.d)
