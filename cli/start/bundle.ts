import { build, type BuildOptions, type Plugin } from "esbuild";
import { hash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { builtinModules, SourceMap, type SourceMapPayload } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import type { LineTable } from "../../synth/source-positions.ts";

/** Root of the checkout. */
const ROOT = resolve(import.meta.dirname, "../..");

const CLI = join(ROOT, "cli/");

/** The client alone is nearly a thousand modules, so it is bundled once per installation, and not once per change of a source. */
const CLIENT = "@kubernetes/client-node";

/** What of the client is used; `tests/unit/cli/start.test.ts` compares it with the imports. */
export const USED_OF_CLIENT = [
  "ApiException",
  "KubeConfig",
  "KubernetesObjectApi",
  "Log",
  "PatchStrategy",
  "PortForward",
] as const;

/** Loaded from node_modules when a command needs them: they find their files by their own path, or are large and rarely used. */
const EXTERNAL = /^(@pulumi|@grafana|@electric-sql|@supabase)\/|^(libpg-query|esbuild|pg-native)$/;

/** The thread that reads the database: its source, how it is started, and its file of the bundle. */
const THREAD = {
  source: "policies/database/worker.ts",
  started: 'new URL("./worker.ts", import.meta.url)',
  bundled: "worker.js",
} as const;

/** Libraries for output, whose tables of Unicode take longer to evaluate than all else that `--help` needs. */
const OUTPUT = /^(slice-ansi|string-width|wrap-ansi)$/;

/** Modules of Node that take milliseconds to load, and that `--help` does not need. */
const SLOW = /^node:(child_process|fs\/promises|readline\/promises|util)$/;

/** Modules that flags and help are made of, besides those of `cli`; verbs use them as well. */
const SHARED = [
  "contract/errors.ts",
  "contract/fix.ts",
  "contract/images.ts",
  "contract/slots.ts",
  "images/reference-server/src/faults.ts",
  "operations/backups/kinds.ts",
  "synth/source-positions.ts",
];

/** Bundles that are kept, and clients: a process that runs for hours loads some files late. */
const KEPT = 5;

/** Options of all builds. */
const COMMON = {
  bundle: true,
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  platform: "node",
  target: "node22.18",
  logLevel: "silent",
} as const satisfies BuildOptions;

/** Options for the sources. */
const SOURCES = {
  ...COMMON,
  // The table of the lines needs one statement a line.
  minifySyntax: false,
  minifyWhitespace: false,
  sourcemap: true,
  sourcesContent: false,
  define: { "import.meta.url": "__url", "import.meta.dirname": "__folder" },
} as const satisfies BuildOptions;

/**
 * Builds the bundle of the present sources: `program.js` has the commands with their flags, `verbs.cjs` what they run,
 * `shared.cjs` what both need, and `worker.js` the thread that reads the database. Several processes may build it at the same time.
 *
 * @throws Error if it cannot be built, for example in a read-only checkout or on a full disk
 */
export async function buildBundle(folder: string): Promise<void> {
  const cache = dirname(folder);
  const installed = readFileSync(join(ROOT, "node_modules/.package-lock.json"), "utf8");
  const client = join(cache, `client-${hash("sha256", installed + USED_OF_CLIENT.join()).slice(0, 16)}`);
  if (!existsSync(client)) await atomically(client, buildClient);
  await atomically(folder, async (draft) => {
    const deferred = await buildProgram(draft);
    await buildModules(draft, "shared.cjs", SHARED, []);
    await buildModules(draft, "verbs.cjs", deferred, [external(`../${basename(client)}/client.cjs`)]);
    await buildThread(draft);
    for (const file of ["program.js", "shared.cjs", "verbs.cjs", THREAD.bundled]) tabulate(join(draft, file));
  });
  prune(cache);
}

/** Makes a folder that appears as a whole. If another process has made it meanwhile, that one is used. */
async function atomically(folder: string, make: (draft: string) => Promise<unknown>): Promise<void> {
  const draft = `${folder}.${String(process.pid)}.draft`;
  try {
    mkdirSync(draft, { recursive: true });
    await make(draft);
    renameSync(draft, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

async function buildClient(draft: string): Promise<void> {
  await build({
    ...COMMON,
    format: "cjs",
    stdin: { contents: `export { ${USED_OF_CLIENT.join(", ")} } from "${CLIENT}";`, resolveDir: ROOT },
    outfile: join(draft, "client.cjs"),
  });
}

/**
 * What `cli` imports from elsewhere is deferred: like `import defer`, it is evaluated when a command first uses it.
 *
 * @returns paths of the modules that are deferred to `verbs.cjs`
 */
async function buildProgram(draft: string): Promise<readonly string[]> {
  const deferred = new Set<string>();
  const defer: Plugin = {
    name: "defer",
    setup: (plugin) => {
      plugin.onResolve({ filter: OUTPUT }, ({ path }) => ({ path, namespace: "output" }));
      plugin.onLoad({ filter: /.*/, namespace: "output" }, ({ path }) => {
        deferred.add(path);
        return { contents: `export default (...args) => ${moduleIn("verbs.cjs", path)}.default(...args);` };
      });
      plugin.onResolve({ filter: /^\.\.\// }, ({ path, resolveDir }) => {
        const target = join(resolveDir, path);
        if (!`${resolveDir}/`.startsWith(CLI) || target.startsWith(CLI)) return undefined;
        const module = relative(ROOT, target);
        if (SHARED.includes(module)) return { path: moduleIn("shared.cjs", module), namespace: "deferred" };
        deferred.add(module);
        return { path: moduleIn("verbs.cjs", module), namespace: "deferred" };
      });
      plugin.onResolve({ filter: SLOW }, ({ path }) => ({ path: builtin(path), namespace: "deferred" }));
      plugin.onLoad({ filter: /.*/, namespace: "deferred" }, ({ path: value }) => ({
        contents: `module.exports = Object.create(new Proxy({}, {
          get: (_, name) => name === "__esModule" || ${value}[name],
        }));`,
      }));
    },
  };
  await build({
    ...SOURCES,
    format: "esm",
    entryPoints: [join(ROOT, "cli/program.ts")],
    outdir: draft,
    plugins: [defer, files, builtins, located(draft)],
    // Dependencies in CommonJS call require, which an ES module does not have.
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
    },
  });
  return [...deferred];
}

/** A file that exports modules by their paths, each of which is evaluated when it is first asked for. */
async function buildModules(draft: string, file: string, modules: readonly string[], plugins: readonly Plugin[]) {
  const getters = modules.map((path) => {
    const specifier = path.endsWith(".ts") ? `./${path}` : path;
    return `get ${JSON.stringify(path)}() { return require(${JSON.stringify(specifier)}); },`;
  });
  await build({
    ...SOURCES,
    format: "cjs",
    stdin: { contents: `module.exports = { ${getters.join("\n")} };`, resolveDir: ROOT },
    outfile: join(draft, file),
    plugins: [...plugins, files, builtins, located(draft)],
    banner: {
      js: 'const { pathToFileURL: __urlOf, fileURLToPath: __pathOf } = process.getBuiltinModule("node:url"), __bundle = __urlOf(__filename);',
    },
  });
}

/** The thread that reads the database, which needs neither the commands nor their libraries. */
async function buildThread(draft: string): Promise<void> {
  await build({
    ...SOURCES,
    format: "esm",
    packages: "external",
    entryPoints: [join(ROOT, THREAD.source)],
    outfile: join(draft, THREAD.bundled),
    plugins: [located(draft)],
    banner: {
      js: 'import { pathToFileURL as __urlOf, fileURLToPath as __pathOf } from "node:url"; const __bundle = import.meta.url;',
    },
  });
}

/** An expression for a module of Node. */
function builtin(path: string): string {
  return `process.getBuiltinModule(${JSON.stringify(path)})`;
}

/** An expression for a module in another file of the bundle. */
function moduleIn(file: string, path: string): string {
  return `require(${JSON.stringify(`./${file}`)})[${JSON.stringify(path)}]`;
}

/** The files of the bundle, and the file of the client. */
const files: Plugin = {
  name: "files",
  setup: (plugin) => {
    plugin.onResolve({ filter: /\.cjs$/ }, ({ path, namespace }) =>
      namespace === "file" ? undefined : { path, external: true },
    );
  },
};

/** What `verbs.cjs` requires of other files, since an import would load it with the bundle. */
function external(client: string): Plugin {
  return {
    name: "external",
    setup: (plugin) => {
      const required = (value: string) => ({ path: value, namespace: "external" });
      plugin.onResolve({ filter: EXTERNAL }, ({ path, kind }) =>
        kind === "require-call" ? { path, external: true } : required(`require(${JSON.stringify(path)})`),
      );
      plugin.onResolve({ filter: new RegExp(`^${CLIENT}$`) }, () => required(`require(${JSON.stringify(client)})`));
      plugin.onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path, resolveDir }) => {
        const target = relative(ROOT, join(resolveDir, path));
        return SHARED.includes(target) ? required(moduleIn("shared.cjs", target)) : undefined;
      });
      // Messages in all languages but English.
      plugin.onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({ contents: "" }));
      plugin.onLoad({ filter: /.*/, namespace: "external" }, ({ path }) => ({ contents: `module.exports = ${path};` }));
    },
  };
}

/**
 * Makes the table of the lines from the source map. Reading the map takes longer than `status`, and Node's own support reads it at
 * each start.
 */
function tabulate(file: string): void {
  const payload = JSON.parse(readFileSync(`${file}.map`, "utf8")) as SourceMapPayload;
  const map = new SourceMap(payload);
  const indices = new Map(payload.sources.map((source, index) => [source, index]));
  const lines = readFileSync(file, "utf8").split("\n");
  const table: LineTable = {
    sources: payload.sources,
    lines: lines.map((text, index) => {
      // A statement may begin lines above the resource that it makes.
      const column = [/\bnew /, /\S/].map((token) => text.search(token)).find((found) => found !== -1);
      const entry = map.findEntry(index, column ?? 0);
      return "originalSource" in entry ? [indices.get(entry.originalSource) ?? -1, entry.originalLine + 1] : null;
    }),
  };
  writeFileSync(`${file}.lines.json`, JSON.stringify(table));
  rmSync(`${file}.map`);
}

/** An ES import of node:http loads all of it, the implementation of fetch included. */
const builtins: Plugin = {
  name: "builtins",
  setup: (plugin) => {
    const filter = new RegExp(`^(node:)?(${builtinModules.join("|")})$`);
    plugin.onResolve({ filter }, ({ path }) => ({ path, namespace: "builtin" }));
    plugin.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = ${builtin(path)};`,
    }));
  },
};

/** A source finds its files by its own path, also from the bundle and after the checkout has moved. */
function located(draft: string): Plugin {
  return {
    name: "located",
    setup: (plugin) => {
      plugin.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const text = readFileSync(path, "utf8").replaceAll(
          THREAD.started,
          `new URL(${JSON.stringify(THREAD.bundled)}, __bundle)`,
        );
        const url = `new URL(${JSON.stringify(relative(draft, path))}, __bundle)`;
        const constants = [
          text.includes("import.meta.url") ? `const __url = ${url}.href;` : "",
          text.includes("import.meta.dirname") ? `const __folder = __pathOf(new URL(".", ${url})).slice(0, -1);` : "",
        ];
        return { loader: "ts", contents: `${constants.join("")}${text}` };
      });
    },
  };
}

/** Removes the oldest bundles and clients. */
function prune(cache: string): void {
  const names = readdirSync(cache).sort((a, b) => statSync(join(cache, b)).mtimeMs - statSync(join(cache, a)).mtimeMs);
  const clients = names.filter((name) => name.startsWith("client-"));
  const bundles = names.filter((name) => !name.startsWith("client-"));
  for (const name of [...clients.slice(KEPT), ...bundles.slice(KEPT)])
    rmSync(join(cache, name), { recursive: true, force: true });
}
