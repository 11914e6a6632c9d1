static void relu(int size, float *x)
{
    for (int i = 0; i < size; i++)
        x[i] = x[i] > 0 ? x[i] : 0;
}
