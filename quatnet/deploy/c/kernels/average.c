/* The mean over the pixels of each map. */
static void average(int maps, int pixels, int lanes, const float *restrict x, float *restrict y)
{
    for (int map = 0; map < maps; map++, x += pixels * lanes)
        for (int c = 0; c < lanes; c++) {
            float sum = 0;
            for (int p = 0; p < pixels; p++)
                sum += x[p * lanes + c];
            *y++ = sum / (float)pixels;
        }
}
