void network_run(const uint8_t *image, float *logits)
{
    run(image, 0, logits);
}

void network_run_float(const float *normalised, float *logits)
{
    run(0, normalised, logits);
}

int network_classify(const uint8_t *image)
{
    float logits[NETWORK_CLASSES];
    int best = 0;
    run(image, 0, logits);
    for (int k = 1; k < NETWORK_CLASSES; k++)
        if (logits[k] > logits[best])
            best = k;
    return best;
}
