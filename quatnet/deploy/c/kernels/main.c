/* Classifies the raw images on standard input with the network of network.c. */
#include <stdio.h>
#include "network.h"

int main(void)
{
    static uint8_t image[NETWORK_PIXELS];
    static float logits[NETWORK_CLASSES];
#ifdef NETWORK_SELF_TEST
    const int failed = network_self_test();
    if (failed) {
        printf("self-test: image %d fails\n", failed);
        return 1;
    }
    puts("self-test: passed");
#endif
    while (fread(image, sizeof image, 1, stdin) == 1) {
        network_run(image, logits);
        fputs(network_classes[network_classify(image)], stdout);
        for (int k = 0; k < NETWORK_CLASSES; k++)
            printf(" %.9g", logits[k]);
        putchar('\n');
    }
    return 0;
}
