import fc from "fast-check";

// The same commit has the same verdict each time; EXAI_TEST_SEED (an integer) makes the properties look elsewhere.
const seed = Number(process.env.EXAI_TEST_SEED ?? 20_261_123);
if (!Number.isSafeInteger(seed))
  throw new Error(`EXAI_TEST_SEED is not an integer: ${process.env.EXAI_TEST_SEED ?? ""}`);
fc.configureGlobal({ seed });
