line.o: ../../step4_client/line.c ../../step4_client/line.h
../../step4_client/line.h:
