bare_pingpong.o: bare_pingpong.c ../../step4_client/clock.h
../../step4_client/clock.h:
