/* A dense layer of quaternions of which few weights are left. A weight is multiplied with all four components of x at
   once. The sum of what one component m of the weights gives is then put where it belongs in y. */
static void quaternion_sparse(const Product *layer, const float *restrict x, float *restrict y)
{
    const Count *restrict count = layer->count;
    const uint8_t *restrict skip = layer->skip;
    const Weight *restrict weight = layer->weight;
    for (int o = 0; o < layer->outputs; o++) {
        float total[4] = {0, 0, 0, 0};
        for (int m = 0; m < 4; m++) {
            const int kept = *count++;
            const float *restrict from = x;
            float sum[4] = {0, 0, 0, 0};
            for (int k = 0; k < kept; k++) {
                from += 4 * skip[k];
                for (int c = 0; c < 4; c++)
                    sum[c] += weight[k] * from[c];
            }
            skip += kept;
            weight += kept;
            for (int c = 0; c < 4; c++)
                total[c] += sign[m][c] * sum[c ^ m];
        }
        for (int c = 0; c < 4; c++)
            y[4 * o + c] = total[c];
    }
    finish(layer, 0, 4 * layer->outputs, 1, y);
}
