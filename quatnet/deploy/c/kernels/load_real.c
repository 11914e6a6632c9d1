/* Gray pixels as quaternions without imaginary part: one for each pixel, or (lanes 1) four maps. */
static void load_real(int pixels, int lanes, const uint8_t *image, const float *normalised, float *x)
{
    const int next = lanes == 4 ? 1 : pixels;
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < 4; c++)
            x[p * lanes + c * next] = c ? 0 : input(image, normalised, p);
}
