/* Channel after channel becomes map after map: of quaternions, a quarter of the channels is one of their components. */
static void load(int pixels, int lanes, int maps, const uint8_t *image, const float *normalised, float *x)
{
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < lanes; c++)
            for (int map = 0; map < maps; map++)
                x[(map * pixels + p) * lanes + c] = input(image, normalised, (p * lanes + c) * maps + map);
}
