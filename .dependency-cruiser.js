/**
 * The direction of imports, those of types included. CONTRIBUTING.md draws the same:
 *
 *   cli -> platforms -> operations, synth -> stacks -> components -> components/core -> contract
 *   policies -> contract
 */

/** What each layer may import, besides itself. */
const MAY_IMPORT = {
  contract: [],
  "components/core": ["contract"],
  components: ["components/core", "contract"],
  stacks: ["components", "components/core", "contract"],
  synth: ["stacks", "components", "components/core", "contract"],
  // The reference server is a separate program. The builder of its image shares the check of its faults.
  operations: ["images", "contract"],
  platforms: ["operations", "synth", "stacks", "images", "contract"],
  policies: ["contract"],
  images: ["contract"],
  cli: ["platforms", "operations", "synth", "stacks", "policies", "images", "contract"],
};

const ROLLOUT = "operations/rollout";

/** What each room of the rollout may import of the others; types may come from any room, as long as there is no cycle. */
const ROOMS = {
  model: [],
  host: ["model"],
  ports: ["model", "gates"],
};

const anyOf = (folders) => `^(${folders.join("|")})/`;

/** A folder's own files: those of components/core are a layer below components. */
const filesOf = (layer) => (layer === "components" ? "^components/(?!core/)" : `^${layer}/`);

const layers = Object.entries(MAY_IMPORT).map(([layer, below]) => ({
  name: `${layer.replace("/", "-")}-imports-only-what-is-below`,
  severity: "error",
  from: { path: filesOf(layer) },
  to: {
    path: anyOf([...Object.keys(MAY_IMPORT), "bench", "tests", "docs"]),
    pathNot: [filesOf(layer), ...below.map(filesOf)],
    dependencyTypesNot: ["core"],
  },
}));

const rooms = Object.entries(ROOMS).map(([room, others]) => ({
  name: `rollout-${room}-imports-only-what-is-below`,
  severity: "error",
  from: { path: `^${ROLLOUT}/${room}/` },
  to: {
    path: `^${ROLLOUT}/`,
    pathNot: anyOf([room, ...others].map((each) => `${ROLLOUT}/${each}`)),
    dependencyTypesNot: ["type-only"],
  },
}));

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    ...layers,
    ...rooms,
    {
      name: "support-of-tests-imports-no-bench",
      comment: "bench imports tests/support, not the other way round.",
      severity: "error",
      from: { path: "^tests/support/" },
      to: { path: "^(bench/|tests/(?!support/))" },
    },
    {
      name: "resolvable",
      comment: "What cannot be resolved is not checked.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: "(^|/)(node_modules|sdks)/" },
    exclude: { path: "^(supabase/functions|\\.exai)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "types", "default"] },
  },
};
