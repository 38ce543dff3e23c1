#include "experiment.h"
int main(int c,char**v){experiment_begin(c,v,"3c","x");return experiment_end("");}
