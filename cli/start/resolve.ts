/**
 * Gives whoever imports one of the libraries in `libraries.ts` the file that `bundle.ts` made of it, where there is one, and
 * begins to make the files where nobody has.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { registerHooks } from "node:module";
import { constants, setPriority } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { BUNDLED_LIBRARIES, bundleOf, bundlesDirectory } from "./libraries.ts";

const directory = bundlesDirectory();

registerHooks({
  resolve(specifier, context, next) {
    if (!Object.hasOwn(BUNDLED_LIBRARIES, specifier) || !context.conditions.includes("import"))
      return next(specifier, context);
    // Looked for each time: `npm ci` in another terminal may have removed it while a cutover runs.
    const file = bundleOf(specifier, directory);
    if (!existsSync(file)) return next(specifier, context);
    return { url: pathToFileURL(file).href, format: "module", shortCircuit: true };
  },
});

if (!existsSync(directory)) begin();

/** Once for the same libraries, in the background and behind everybody else: the command that begins it may be a rollback. */
function begin(): void {
  try {
    mkdirSync(dirname(directory), { recursive: true });
    mkdirSync(`${directory}.begun`);
  } catch {
    return; // begun before, or node_modules is somebody else's
  }
  const program = join(import.meta.dirname, "bundle.ts");
  const child = spawn(process.execPath, [program], { detached: true, stdio: "ignore" });
  child.on("error", () => undefined);
  child.unref();
  try {
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended already, or may not be slowed down.
  }
}
