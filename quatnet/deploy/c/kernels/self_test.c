int network_self_test(void)
{
    const int images = (int)(sizeof test_images / sizeof *test_images);
    for (int image = 0; image < images; image++) {
        const float *expected = test_logits[image];
        float logits[NETWORK_CLASSES], largest = 1;
        run(test_images[image], 0, logits);
        for (int k = 0; k < NETWORK_CLASSES; k++) {
            largest = expected[k] > largest ? expected[k] : largest;
            largest = -expected[k] > largest ? -expected[k] : largest;
        }
        for (int k = 0; k < NETWORK_CLASSES; k++) {
            const float difference = (logits[k] - expected[k]) / largest;
            if (!(difference < 1e-4f && difference > -1e-4f))
                return image + 1;
        }
    }
    return 0;
}
