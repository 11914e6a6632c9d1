#ifndef NETWORK_H
#define NETWORK_H

#include <stdint.h>

/* An image. */
#define NETWORK_HEIGHT $height
#define NETWORK_WIDTH $width
#define NETWORK_CHANNELS $channels
#define NETWORK_PIXELS $pixels

#define NETWORK_CLASSES $classes

/* Bytes of the buffers and of the constants. */
#define NETWORK_RAM $ram
#define NETWORK_FLASH $flash

#ifdef __cplusplus
extern "C" {
#endif

/* The name of each class. */
extern const char *const network_classes[NETWORK_CLASSES];

/* Compute the logits of a raw image: rows of pixels of channels, each a byte. Not reentrant: see network.c. */
void network_run(const uint8_t *image, float *logits);

/* The same for an image of floats, each (pixel - mean) / std for pixels from 0 to 1. */
void network_run_float(const float *normalised, float *logits);

/* Return the class of a raw image: where its largest logit is. */
int network_classify(const uint8_t *image);

#ifdef NETWORK_SELF_TEST
/* Return 0 if the logits of the images in network.c are right, otherwise the number, from 1, of the first that fails. */
int network_self_test(void);
#endif

#ifdef __cplusplus
}
#endif

#endif
