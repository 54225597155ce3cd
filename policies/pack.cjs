// Entry of the policy pack for `pulumi preview --policy-pack policies`. It is CommonJS, because the engine's host loads
// packs with require(). It uses import(), because the host hooks a TypeScript compiler into require(), and Node loads the
// same modules with their types stripped, several seconds faster.
import("./pack/pack.ts").then(
  (pack) => pack.servePack(),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
