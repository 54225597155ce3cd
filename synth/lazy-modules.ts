import { existsSync, readdirSync } from "node:fs";
import { createRequire, Module } from "node:module";
import { dirname, join } from "node:path";

/**
 * What capturing a stack would load and never uses: the Automation API with its engine client, the serialization of
 * functions with the TypeScript compiler and npm's arborist, and the later schemas of Grafana's dashboards. Without them
 * a plan reads and compiles 3 MB of JavaScript instead of 15.
 */
const UNUSED = [
  "@pulumi/pulumi/automation/index.js",
  "@pulumi/pulumi/runtime/closure/createClosure.js",
  "@npmcli/arborist",
  "@grafana/grafana-foundation-sdk/dashboardv2",
  "@grafana/grafana-foundation-sdk/dashboardv2beta1",
] as const;

/** A library whose groups of resources, one a folder, are loaded when the first resource of a group is made. */
const GROUPED = "@pulumi/kubernetes";

type Exports = Record<PropertyKey, unknown>;

/**
 * Makes those parts load at their first use instead of with the library. Code that uses one is not affected. Call it
 * before the libraries are imported; it does not affect a part that is already loaded.
 */
export function loadLazily(parts: readonly string[] = [...UNUSED, ...groupsOf(GROUPED)]): void {
  const require = createRequire(import.meta.url);
  for (const part of parts) {
    const file = require.resolve(part);
    if (require.cache[file] !== undefined) continue;
    const placeholder = new Module(file);
    placeholder.filename = file;
    placeholder.loaded = true;
    placeholder.exports = lazy(() => {
      // Before the part itself: what it imports may import it in turn, and has to meet the real one.
      if (require.cache[file] === placeholder) Reflect.deleteProperty(require.cache, file);
      return require(file) as Exports;
    });
    require.cache[file] = placeholder;
  }
}

function groupsOf(library: string): readonly string[] {
  const folder = dirname(createRequire(import.meta.url).resolve(library));
  return readdirSync(folder).flatMap((group) => {
    const entry = join(folder, group, "index.js");
    return existsSync(entry) ? [entry] : [];
  });
}

/** An object that becomes another one as soon as something is asked of it, except whether it is an ES module's. */
function lazy(load: () => Exports): Exports {
  let loaded: Exports | undefined;
  const whole = () => (loaded ??= load());
  return new Proxy<Exports>(
    {},
    {
      get: (_, key) => (key === "__esModule" ? true : whole()[key]),
      has: (_, key) => key in whole(),
      ownKeys: () => Reflect.ownKeys(whole()),
      getOwnPropertyDescriptor: (_, key) => {
        const descriptor = Reflect.getOwnPropertyDescriptor(whole(), key);
        // A proxy may report a property that its target lacks only as one that can be deleted.
        return descriptor === undefined ? undefined : { ...descriptor, configurable: true };
      },
    },
  );
}
