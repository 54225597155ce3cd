import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { librariesKey, ROOT, sourcesKey } from "./sources.ts";

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
const EXTERNAL = /^(@pulumi|@grafana|@electric-sql)\/|^(libpg-query|esbuild|pg-native)$/;

/** Bundles that are kept, and clients: a process that runs for hours loads the client late. */
const KEPT = 5;

const BUILTIN = new RegExp(`^(node:)?(${builtinModules.join("|")})$`);

const CLI = join(ROOT, "cli/");

/** Folder of the bundles. */
const CACHE = join(ROOT, ".exai/cache/cli");

/**
 * The bundle of the present sources; built first if it does not exist. Several processes may build it at the same time.
 *
 * @returns undefined if it cannot be built, for example in a read-only checkout or on a full disk
 */
export async function bundleOfSources(): Promise<string | undefined> {
  const folder = join(CACHE, sourcesKey());
  const entry = join(folder, "program.js");
  if (existsSync(entry)) return entry;
  try {
    const client = join(CACHE, `client-${librariesKey()}`);
    if (!existsSync(client)) await atomically(client, buildClient);
    await atomically(folder, (draft) => buildProgram(draft, join(client, "client.js")));
    prune();
    return entry;
  } catch {
    return undefined;
  }
}

/** Makes a folder that appears as a whole. If another process has made it meanwhile, that one is used. */
async function atomically(folder: string, build: (draft: string) => Promise<unknown>): Promise<void> {
  const draft = `${folder}.${String(process.pid)}.draft`;
  try {
    mkdirSync(draft, { recursive: true });
    await build(draft);
    renameSync(draft, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Options of both builds. */
const COMMON = {
  bundle: true,
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  platform: "node",
  format: "esm",
  target: "node22.18",
  logLevel: "silent",
  // Dependencies in CommonJS call require, which an ES module does not have.
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
  },
} as const;

async function buildClient(draft: string): Promise<void> {
  const { build } = await import("esbuild");
  await build({
    ...COMMON,
    stdin: { contents: `export { ${USED_OF_CLIENT.join(", ")} } from "${CLIENT}";`, resolveDir: ROOT },
    outfile: join(draft, "client.js"),
  });
}

async function buildProgram(draft: string, client: string): Promise<void> {
  const { build } = await import("esbuild");
  await build({
    ...COMMON,
    entryPoints: [join(ROOT, "cli/program.ts")],
    outdir: draft,
    sourcemap: true,
    sourcesContent: false,
    define: { "import.meta.url": "__url", "import.meta.dirname": "__dirname" },
    plugins: [
      {
        name: "exai",
        setup: (plugin) => {
          // Required, since an import of something external would load it with the bundle.
          plugin.onResolve({ filter: EXTERNAL }, ({ path, kind }) =>
            kind === "require-call" ? { path, external: true } : { path, namespace: "external" },
          );
          plugin.onResolve({ filter: new RegExp(`^${CLIENT}$`) }, () => ({
            path: relative(draft, client),
            namespace: "external",
          }));
          plugin.onLoad({ filter: /.*/, namespace: "external" }, ({ path }) => ({
            contents: `module.exports = require(${JSON.stringify(path)});`,
          }));
          plugin.onResolve({ filter: /^\.\.\/client-/ }, ({ path }) => ({ path, external: true }));
          // Like `import defer`: what a command imports is evaluated when the command first uses it, so that `--help` does not wait.
          plugin.onResolve({ filter: /^\.\.\// }, ({ path, importer, kind }) => {
            const target = join(dirname(importer), path);
            const leaves = importer.startsWith(CLI) && !target.startsWith(CLI);
            return leaves && kind === "import-statement" ? { path: target, namespace: "deferred" } : undefined;
          });
          plugin.onLoad({ filter: /.*/, namespace: "deferred" }, ({ path }) => ({
            resolveDir: ROOT,
            contents: `module.exports = Object.create(new Proxy({}, {
              get: (_, name) => name === "__esModule" || require(${JSON.stringify(path)})[name],
            }));`,
          }));
          // An ES import of node:http loads all of it, the implementation of fetch included.
          plugin.onResolve({ filter: BUILTIN }, ({ path }) => ({ path, namespace: "builtin" }));
          plugin.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
            contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
          }));
          plugin.onLoad({ filter: /\.ts$/ }, ({ path }) => ({ loader: "ts", contents: located(path) }));
        },
      },
    ],
  });
}

/** A source that finds its files by its own path, also from the bundle. */
function located(path: string): string {
  const text = readFileSync(path, "utf8");
  const url = text.includes("import.meta.url") ? `const __url = ${JSON.stringify(pathToFileURL(path).href)};` : "";
  const folder = text.includes("import.meta.dirname") ? `const __dirname = ${JSON.stringify(dirname(path))};` : "";
  return `${url}${folder}${text}`;
}

/** Removes the oldest bundles and clients. */
function prune(): void {
  const names = readdirSync(CACHE).sort((a, b) => statSync(join(CACHE, b)).mtimeMs - statSync(join(CACHE, a)).mtimeMs);
  const clients = names.filter((name) => name.startsWith("client-"));
  const bundles = names.filter((name) => !name.startsWith("client-"));
  for (const name of [...clients.slice(KEPT), ...bundles.slice(KEPT)])
    rmSync(join(CACHE, name), { recursive: true, force: true });
}
