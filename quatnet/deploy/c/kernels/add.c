static void add(int size, const float *restrict x, float *restrict y)
{
    for (int i = 0; i < size; i++)
        y[i] += x[i];
}
