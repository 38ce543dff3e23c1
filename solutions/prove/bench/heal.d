heal.o: heal.c ../../step4_client/line.h
../../step4_client/line.h:
