minimal_server.o: minimal_server.c ../../step4_client/line.h \
 ../../step4_client/tcp.h
../../step4_client/line.h:
../../step4_client/tcp.h:
