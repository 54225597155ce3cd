import { link, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { ROUTES_FILE } from "./names.ts";
import { DEFAULT_ROUTE_TIMEOUTS, FIRST_TABLE, routesFile, type RouteTable, type RouteTimeouts } from "./routes.ts";

/** Content of the routes file for a table. */
export function routesText(table: RouteTable, timeouts: RouteTimeouts = DEFAULT_ROUTE_TIMEOUTS): string {
  return `${JSON.stringify(routesFile(table, timeouts), undefined, 1)}\n`;
}

/**
 * Writes the first table, all on blue, if there is none: Envoy does not start without it. An existing table is the
 * controller's and stays.
 *
 * @returns whether it was written.
 */
export async function ensureRoutes(directory: string, timeouts?: RouteTimeouts): Promise<boolean> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const path = join(directory, ROUTES_FILE);
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, "w", 0o644);
  try {
    await file.writeFile(routesText(FIRST_TABLE, timeouts));
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // Atomic: a partial table would be mistaken for the controller's, and Envoy would not start.
    await link(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}
