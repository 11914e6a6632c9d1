/* A convolution of maps. */
static void conv(const Product *layer, const Window *window, const float *restrict x, float *restrict y)
{
    const int pixels = window->out_height * window->out_width;
    const uint8_t *skip = layer->skip;
    const Weight *weight = layer->weight;
    for (int o = 0; o < layer->outputs; o++, y += pixels) {
        const int count = layer->count ? layer->count[o] : window->kernel * window->kernel * layer->inputs;
        for (int p = 0; p < pixels; p++)
            y[p] = 0;
        add_row(window, layer->inputs, 1, count, skip, weight, x, y);
        finish(layer, o, 1, pixels, y);
        skip += skip ? count : 0;
        weight += count;
    }
}
