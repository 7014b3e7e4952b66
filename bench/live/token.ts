/** Of the admin port that the benchmark asks. */
export const TOKEN = "of-a-benchmark";
