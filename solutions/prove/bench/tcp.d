tcp.o: ../../step4_client/tcp.c ../../step4_client/tcp.h \
 ../../step4_client/clock.h
../../step4_client/tcp.h:
../../step4_client/clock.h:
