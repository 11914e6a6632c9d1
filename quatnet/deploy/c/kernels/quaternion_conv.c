/* A convolution of maps of quaternions; `sums` has room for one map. */
static void quaternion_conv(const Product *layer, const Window *window, const float *restrict x, float *restrict y,
                            float *restrict sums)
{
    const int pixels = window->out_height * window->out_width;
    const uint8_t *skip = layer->skip;
    const Weight *weight = layer->weight;
    for (int o = 0; o < layer->outputs; o++, y += 4 * pixels) {
        for (int p = 0; p < 4 * pixels; p++)
            y[p] = 0;
        for (int m = 0; m < 4; m++) {
            const int count = layer->count ? layer->count[4 * o + m] : window->kernel * window->kernel * layer->inputs;
            for (int p = 0; p < 4 * pixels; p++)
                sums[p] = 0;
            add_row(window, layer->inputs, 4, count, skip, weight, x, sums);
            for (int p = 0; p < 4 * pixels; p += 4)
                for (int c = 0; c < 4; c++)
                    y[p + c] += sign[m][c] * sums[p + (c ^ m)];
            skip += skip ? count : 0;
            weight += count;
        }
        finish(layer, 4 * o, 4, pixels, y);
    }
}
