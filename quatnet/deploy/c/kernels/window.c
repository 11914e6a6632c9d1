/* The size of the maps before and after a convolution, and that of its kernel. */
typedef struct {
    int height, width, out_height, out_width, kernel, stride, padding;
} Window;

/* Of the outputs o along an axis whose input, at stride * o + shift, is there: the first, and the one after the last. */
static int first(int shift, int stride)
{
    return shift < 0 ? (stride - 1 - shift) / stride : 0;
}

static int end(int shift, int stride, int inputs, int outputs)
{
    const int last = (inputs - shift + stride - 1) / stride;
    return last < outputs ? last : outputs;
}

/* Add to the map of one output what one row of weights, in the order of the kernel's rows, makes of the maps of all
   inputs. A pixel has `lanes` numbers: 1, or the 4 components of a quaternion. */
static void add_row(const Window *w, int inputs, int lanes, int count, const uint8_t *restrict skip,
                    const Weight *restrict weight, const float *restrict x, float *restrict y)
{
    const int stride = w->stride, in_row = stride * w->width * lanes, out_row = w->out_width * lanes;
    int channel = skip ? 0 : -1, down = -w->padding, right = -w->padding;
    for (int k = 0; k < count; k++) {
        channel += skip ? skip[k] : 1;
        while (channel >= inputs) {
            channel -= inputs;
            if (++right == w->kernel - w->padding) {
                right = -w->padding;
                down++;
            }
        }
        const float value = weight[k];
        const int top = first(down, stride), left = first(right, stride);
        const int rows = end(down, stride, w->height, w->out_height) - top;
        const int columns = end(right, stride, w->width, w->out_width) - left;
        const int source = ((channel * w->height + top * stride + down) * w->width + left * stride + right) * lanes;
        const int target = (top * w->out_width + left) * lanes;
        for (int row = 0; row < rows; row++) {
            const float *restrict from = x + source + row * in_row;
            float *restrict to = y + target + row * out_row;
            if (stride == 1)
                for (int j = 0; j < columns * lanes; j++)
                    to[j] += value * from[j];
            else
                for (int j = 0; j < columns; j++)
                    for (int c = 0; c < lanes; c++)
                        to[j * lanes + c] += value * from[j * stride * lanes + c];
        }
    }
}
