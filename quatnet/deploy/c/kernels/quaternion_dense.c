/* A dense layer of quaternions of which many weights are left: as quaternion_sparse, with the loops exchanged so that an
   input that is 0 costs nothing. `sums` has room for four times the output. */
static void quaternion_dense(const Product *layer, const float *restrict x, float *restrict y, float *restrict sums)
{
    const int rows = 4 * layer->outputs;
    const Weight *restrict weight = layer->weight;
    for (int r = 0; r < 4 * rows; r++)
        sums[r] = 0;
    for (int i = 0; i < layer->inputs; i++, x += 4, weight += rows) {
        const float value[4] = {x[0], x[1], x[2], x[3]};
        if (value[0] != 0 || value[1] != 0 || value[2] != 0 || value[3] != 0)
            for (int r = 0; r < rows; r++)
                for (int c = 0; c < 4; c++)
                    sums[4 * r + c] += weight[r] * value[c];
    }
    for (int o = 0; o < layer->outputs; o++, sums += 16)
        for (int c = 0; c < 4; c++)
            y[4 * o + c] = sign[0][c] * sums[c] + sign[1][c] * sums[4 + (c ^ 1)] + sign[2][c] * sums[8 + (c ^ 2)]
                           + sign[3][c] * sums[12 + (c ^ 3)];
    finish(layer, 0, rows, 1, y);
}
