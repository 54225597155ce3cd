import fc from "fast-check";

// The same commit has the same verdict each time; EXAI_TEST_SEED (an integer) makes all properties look elsewhere.
fc.configureGlobal({ seed: Number(process.env.EXAI_TEST_SEED ?? 20_261_123) });
