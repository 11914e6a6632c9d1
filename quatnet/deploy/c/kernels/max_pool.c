/* The maximum of every size x size window; what fills none is dropped. */
static void max_pool(int maps, int height, int width, int lanes, int size, const float *restrict x, float *restrict y)
{
    for (int map = 0; map < maps; map++, x += height * width * lanes)
        for (int row = 0; row < height / size; row++)
            for (int column = 0; column < width / size; column++)
                for (int c = 0; c < lanes; c++) {
                    const float *window = x + (row * size * width + column * size) * lanes + c;
                    float most = *window;
                    for (int i = 0; i < size; i++)
                        for (int j = 0; j < size; j++)
                            if (window[(i * width + j) * lanes] > most)
                                most = window[(i * width + j) * lanes];
                    *y++ = most;
                }
}
