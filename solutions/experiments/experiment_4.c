#include "experiment.h"
int main(int c,char**v){experiment_begin(c,v,"4","x");return experiment_end("");}
