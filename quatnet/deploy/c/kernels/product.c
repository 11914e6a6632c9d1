/* A dense layer or a convolution. Its weights come row by row: a row has those of one output, and one component of them,
   where they are quaternions. In `dense` and `quaternion_dense` it has those of one input instead. */
typedef struct {
    int inputs, outputs;    /* of a convolution: channels; quaternions count as one */
    const Count *count;     /* of each row: the weights that are stored; 0 if all are */
    const uint8_t *skip;    /* of each stored weight: places from the one before; 0 if all are stored */
    const Weight *weight;
    const float *scale;     /* of each output; 0 if it is 1 */
    const float *bias;      /* of each output */
} Product;

/* y = scale y + bias, for pixels of several channels. */
static void finish(const Product *layer, int first, int channels, int pixels, float *restrict y)
{
    for (int p = 0; p < pixels; p++, y += channels)
        for (int c = 0; c < channels; c++)
            y[c] = y[c] * (layer->scale ? layer->scale[first + c] : 1) + layer->bias[first + c];
}
