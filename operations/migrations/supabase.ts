import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { dirname, join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import type { DatabaseUrl } from "./url.ts";

/** Name of the CLI's connections in `pg_stat_activity`. It cannot be chosen. */
export const SUPABASE_APPLICATION = "@effect/sql-pg";

/** Output of the Supabase CLI with `--output-format json`. */
export type SupabaseAnswer = Readonly<Record<string, unknown>>;

/** An error that the Supabase CLI reported. */
export class SupabaseError extends Error {
  override readonly name = "SupabaseError";
  /** Its class, e.g. `LegacyDbConnectError`. */
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface SupabaseRun {
  /** Root of the project, which contains supabase/. */
  readonly root: string;
  readonly signal?: AbortSignal | undefined;
  /** Further variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Each line of progress as it comes. */
  readonly onLine?: (line: string) => void;
}

/**
 * Runs the Supabase CLI of node_modules against a database. The password goes through the environment.
 *
 * @throws SupabaseError with the CLI's error
 * @throws UserError if the CLI is not installed or its output is not JSON
 */
export async function supabase(
  command: readonly string[],
  database: DatabaseUrl,
  options: SupabaseRun,
): Promise<SupabaseAnswer> {
  options.signal?.throwIfAborted();
  const child = spawn(
    process.execPath,
    [program(), ...command, "--db-url", database.url, "--workdir", options.root, "--output-format", "json"],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        ...database.tls,
        PGPASSWORD: database.password,
        DO_NOT_TRACK: "1",
        SUPABASE_TELEMETRY_DISABLED: "1",
        ...options.env,
      },
    },
  );
  const stop = () => child.kill("SIGTERM");
  options.signal?.addEventListener("abort", stop, { once: true });
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    lines.push(line);
    options.onLine?.(line);
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  try {
    await once(child, "close");
  } finally {
    options.signal?.removeEventListener("abort", stop);
  }
  options.signal?.throwIfAborted();
  return answer(output, lines);
}

/** The last JSON object of the output, or the error in it. */
function answer(output: string, lines: readonly string[]): SupabaseAnswer {
  const last = output.trim().split("\n").at(-1) ?? "";
  let parsed: SupabaseAnswer;
  try {
    parsed = JSON.parse(last) as SupabaseAnswer;
  } catch (cause) {
    const said = [...lines, output.trim()].filter((line) => line !== "").slice(-5);
    const problem = `its output is not JSON: ${said.join(" / ") || "no output"}`;
    throw new UserError("failed", "Supabase CLI", problem, "npx supabase --version", { cause });
  }
  const fault = parsed.error;
  if (fault !== undefined && fault !== null) {
    const { code, message } = fault as { code?: string; message?: string };
    throw new SupabaseError(code ?? "unknown", message ?? "no message");
  }
  return parsed;
}

/** Path of the CLI's entry. */
function program(): string {
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve("supabase/package.json");
    const { bin } = require(manifest) as { bin: string | Record<string, string> };
    const entry = typeof bin === "string" ? bin : bin.supabase;
    if (entry === undefined) throw new Error("its package.json names no program");
    return join(dirname(manifest), entry);
  } catch (cause) {
    throw new UserError("missing-tool", "Supabase CLI", "is not installed", "npm ci", { cause });
  }
}
