/* Red, green, blue and their gray value: one quaternion for each pixel, or (lanes 1) four maps. */
static void load_gray(int pixels, int lanes, const uint8_t *image, const float *normalised, float *x)
{
    const int next = lanes == 4 ? 1 : pixels;
    for (int p = 0; p < pixels; p++) {
        float sum = 0;
        for (int c = 0; c < 3; c++) {
            const float colour = input(image, normalised, 3 * p + c);
            x[p * lanes + c * next] = colour;
            sum += gray[c] * colour;
        }
        x[p * lanes + 3 * next] = sum;
    }
}
