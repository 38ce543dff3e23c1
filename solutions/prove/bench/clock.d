clock.o: ../../step4_client/clock.c ../../step4_client/clock.h
../../step4_client/clock.h:
