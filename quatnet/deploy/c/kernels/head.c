/*
An image classifier, pruned and written in C99 by quatnet $version.

$facts

$table

Channels that the logits do not depend on are left out. Flash: the weights, their places, scales and biases. RAM: the
output of a layer, and what it needs while it runs; those that are not needed at the same time share their memory. The
logits are the caller's.

Classes:
$classes

The buffers are static, so the functions are not reentrant: one image at a time. To compile, and to test:

    cc -std=c99 -O3 -c network.c
    echo 'int network_self_test(void); int main(void) { return network_self_test(); }' > test.c
    cc -std=c99 -O3 -DNETWORK_SELF_TEST network.c test.c -o test && ./test && echo passed

The self-test compares the logits of images with those of quatnet. They may differ by 1e-4 of the largest, or of 1.
*/
#include "network.h"

