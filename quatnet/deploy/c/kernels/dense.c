/* A dense layer, y = scale (x W) + bias. An input that is 0, after a ReLU or for a black pixel, costs nothing. */
static void dense(const Product *layer, const float *restrict x, float *restrict y)
{
    const int outputs = layer->outputs;
    const uint8_t *restrict skip = layer->skip;
    const Weight *restrict weight = layer->weight;
    for (int o = 0; o < outputs; o++)
        y[o] = 0;
    for (int i = 0; i < layer->inputs; i++) {
        const float value = x[i];
        if (!skip) {
            if (value != 0)
                for (int o = 0; o < outputs; o++)
                    y[o] += weight[o] * value;
            weight += outputs;
        } else {
            const int count = layer->count[i];
            if (value != 0) {
                float *restrict to = y;
                for (int k = 0; k < count; k++) {
                    to += skip[k];
                    *to += weight[k] * value;
                }
            }
            skip += count;
            weight += count;
        }
    }
    finish(layer, 0, outputs, 1, y);
}
