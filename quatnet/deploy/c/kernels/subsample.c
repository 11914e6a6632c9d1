/* Every stride-th pixel of `from` maps, and zeros for the others of `to` maps; the same for each of several blocks. */
static void subsample(int blocks, int from, int to, int height, int width, int lanes, int stride,
                      const float *restrict x, float *restrict y)
{
    for (int map = 0; map < blocks * to; map++) {
        const float *in = x + (map / to * from + map % to) * height * width * lanes;
        for (int row = 0; row < height; row += stride)
            for (int column = 0; column < width; column += stride)
                for (int c = 0; c < lanes; c++)
                    *y++ = map % to < from ? in[(row * width + column) * lanes + c] : 0;
    }
}
