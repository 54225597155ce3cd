// Entry of the policy pack for `pulumi preview --policy-pack policies`. CommonJS, because the engine's host loads packs
// with require(). Behind it import() and not require(): the host hooks a TypeScript compiler into require(), and Node
// loads the very same modules with their types stripped, several seconds sooner.
import("./pack/pack.ts").then(
  (pack) => pack.servePack(),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
