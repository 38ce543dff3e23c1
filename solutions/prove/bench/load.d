load.o: load.c ../../step4_client/clock.h ../../step4_client/line.h \
 ../../step4_client/tcp.h
../../step4_client/clock.h:
../../step4_client/line.h:
../../step4_client/tcp.h:
