# The lab: processes, pipes, shared memory, signals and sockets.   make help

STEPS     = step1_shm step2_fifo step3_watchdog step4_client
SOLUTIONS = $(STEPS:%=solutions/%)
# Where the tests look: at the student's directories, or with SOLUTION=1 at the reference.
WHERE     = $(if $(SOLUTION),solutions/)

all: $(SOLUTIONS) tests

$(SOLUTIONS) tests:
	@$(MAKE) -s -C $@

help:
	@echo 'make                 build the reference solutions and the test tools'
	@echo 'make demo            show the final system, and check what is shown (20 seconds)'
	@echo 'make demo PAUSE=1    the same, waiting for Enter between the scenes'
	@echo 'make check-step1     check your step 1; the same for step2, step3, step4'
	@echo 'make check-step1 SOLUTION=1    the same checks on the reference'
	@echo 'make check           every test of the lab, on the reference'
	@echo 'make modules         copy the modules that steps share from their origins'
	@echo 'make clean           remove what was built'
	@echo 'Anywhere: SAN=1 (sanitizers), CC=clang, CFLAGS_EXTRA=-Werror'

demo: solutions/step4_client
	@PAUSE=$(PAUSE) sh solutions/demo.sh

check-step1:
	@tests/run $(WHERE)step1_shm tests/step1.bats
check-step2:
	@tests/run $(WHERE)step2_fifo tests/step2.bats
check-step3:
	@tests/run $(WHERE)step3_watchdog tests/step3*.bats
check-step4:
	@tests/run $(WHERE)step4_client tests/step4.bats

# All are run, whatever the first ones say.
check: all
	@tests/check

modules:
	@tests/shared-modules --copy

clean:
	@for directory in $(SOLUTIONS) tests; do $(MAKE) -s -C $$directory clean; done
	rm -rf build

.PHONY: all help demo check check-step1 check-step2 check-step3 check-step4 modules clean \
        $(SOLUTIONS) tests
