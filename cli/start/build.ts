/** Builds the bundle in a folder: `node cli/start/build.ts FOLDER`. */
import { buildBundle } from "./bundle.ts";

try {
  await buildBundle(process.argv[2] ?? "");
} catch (error) {
  // In a checkout of another user, or on a full disk, the sources run. The verb says what it cannot use itself.
  if (!["EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? ""))
    throw error;
  process.exitCode = 1;
}
