# The lab: processes, pipes, shared memory, signals and sockets.   make help

# The reference is not in what students get.
SOLUTIONS = $(patsubst %/Makefile,%,$(wildcard solutions/step?_*/Makefile solutions/step?_*/warmup/Makefile \
                                            solutions/experiments/Makefile solutions/prove/bench/Makefile \
                                            solutions/prove/soak/Makefile))
STEPS     = step1_shm step2_fifo step3_watchdog step4_client $(patsubst %/Makefile,%,$(wildcard step?_*/warmup/Makefile))
EXPERIMENTS = $(addprefix experiment-,1a 1b 2b 3a 3b 3c 4)
# For clang alone: built by make fuzz, not by make.
FUZZ      = $(patsubst %/Makefile,%,$(wildcard solutions/prove/fuzz/Makefile))
# Where a check looks: at the student's step, with SOLUTION=1 at the reference, with DIR=... anywhere.
# As one word for the shell, whatever is in it.
look_at   = '$(subst ','\'',$(or $(value DIR),$(if $(SOLUTION),solutions/)$(1)))'

all: $(STEPS) $(SOLUTIONS) tests

$(STEPS) $(SOLUTIONS) tests:
	@$(MAKE) -s -C $@

help:
	@echo 'make                 build everything'
	@echo 'make check-step1     check your step 1, and say what is next; the same for step2, step3, step4'
	@echo 'make check-step1 ONLY=1.3.2    one test alone, or ONLY=1.3: those of one TODO'
	@echo 'make hint-step1      a hint for what is next'
	@echo 'make check-step2-warmup        the same for a warm-up, of step 2 or 4; also hint- and reset-'
	@echo 'make progress        all steps in one picture'
	@echo 'make reset-step1     begin step 1 anew; what you have written is kept aside'
	@echo 'make clean           remove what was built'
	@echo 'Anywhere: SAN=1 (sanitizers), CC=clang, CFLAGS_EXTRA=-Werror'
	@test ! -d solutions || $(MAKE) -s help-instructor

help-instructor:
	@echo
	@echo 'make demo            show the final system, and check what is shown (20 seconds)'
	@echo 'make demo PAUSE=1    the same, waiting for Enter between the scenes'
	@echo 'make check-step1 SOLUTION=1    check the reference; DIR=...: check the step in that directory'
	@echo 'make experiment-2b   watch the answer to a question of the handouts; also 1a 1b 3a 3b 3c 4'
	@echo 'make attack          what an unfriendly person can try against the final system, and what comes of it (a minute)'
	@echo 'make student         build/osps-lab.tar.gz: the lab without its solutions'
	@echo 'make skeletons       make modules, then the steps anew from the solutions'
	@echo 'make modules         copy the modules that steps share from their origins'
	@echo 'make bench           what the reference achieves, beside measures of the same run (ONLY=requests: a part of it)'
	@echo 'make soak            the final system under faults and rude clients, for MINUTES=2; SEED=n repeats the faults'
	@echo 'make check           every test of the lab (PARTS=2: a part of it)'
	@echo 'make check-mutants   test the tests: wrong programs must fail, right ones pass'
	@echo 'make fuzz            attack line reader and parsers with invented bytes, SECONDS=60 in all (clang)'
	@echo 'make lint            let gcc -fanalyzer, cppcheck, clang-tidy and shellcheck read the code'

# Before anything is built.
$(EXPERIMENTS) demo soak attack bench fuzz check check-mutants lint student skeletons modules: solutions
solutions:
	@echo 'This needs the solutions, which only instructors have.'; exit 1

demo: $(wildcard solutions/step4_client)
	@sh solutions/demo.sh
attack: $(wildcard solutions/step4_client) tests
	@solutions/prove/attack.sh $(ONLY)

$(EXPERIMENTS): $(wildcard solutions/experiments solutions/step3_watchdog)
	@$(@:experiment-%=solutions/experiments/experiment_%)

check-step1:
	@tests/run $(call look_at,step1_shm) tests/step1.bats
check-step2:
	@tests/run $(call look_at,step2_fifo) tests/step2.bats
check-step3:
	@tests/run $(call look_at,step3_watchdog) tests/step3*.bats
check-step4:
	@tests/run $(call look_at,step4_client) tests/step4.bats
check-step2-warmup:
	@tests/run $(call look_at,step2_fifo/warmup) tests/step2_warmup*.bats
check-step4-warmup:
	@tests/run $(call look_at,step4_client/warmup) tests/step4_warmup*.bats

# The warm-up of step 2 is 2w to the scripts.
hint-step1 hint-step2-warmup hint-step2 hint-step3 hint-step4-warmup hint-step4:
	@tests/hint $(subst -warmup,w,$(@:hint-step%=%))
reset-step1 reset-step2-warmup reset-step2 reset-step3 reset-step4-warmup reset-step4:
	@tests/reset $(subst -warmup,w,$(@:reset-step%=%))
progress:
	@tests/progress

bench: all
	@solutions/prove/bench.sh $(ONLY)
soak: $(filter %/step4_client %/soak,$(SOLUTIONS))
	@mkdir -p build
	@solutions/prove/soak/soak -s $$((60 * $(or $(MINUTES),2))) $(if $(SEED),-S $(SEED)) -j build/soak.journal solutions/step4_client

# All are run, whatever the first ones say.
check: all
	@tests/check $(PARTS)
check-mutants: all
	@tests/check-mutants

fuzz:
	@solutions/prove/fuzz/run $(or $(SECONDS),60)
lint:
	@tests/lint

student:
	@tests/student
skeletons: modules
	@tests/skeletons write
modules:
	@tests/shared-modules --copy

clean:
	@for directory in $(STEPS) $(SOLUTIONS) $(FUZZ) tests; do $(MAKE) -s -C $$directory clean; done
	rm -rf build

.PHONY: all help help-instructor demo soak attack bench fuzz $(EXPERIMENTS) check check-mutants lint student skeletons \
        modules progress clean \
        $(STEPS) $(SOLUTIONS) tests $(foreach step,1 2-warmup 2 3 4-warmup 4,check-step$(step) hint-step$(step) reset-step$(step))
