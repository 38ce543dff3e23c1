#include "experiment.h"
int main(int c,char**v){experiment_begin(c,v,"1b","x");return experiment_end("");}
