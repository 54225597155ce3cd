import { mkdtemp, open, rm } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { withClient } from "../migrations/client.ts";
import { databaseUrl, type DatabaseUrl } from "../migrations/url.ts";
import { clientArguments, dumpDatabase } from "./dump.ts";
import { docker } from "../docker/cli.ts";
import type { Scratch } from "./scratch.ts";

/** Errors of a restore that every copy has: roles and extensions that the scratch server has already, or cannot have. */
const EXPECTED = /already exists|cannot be dropped|must be a superuser|pg_read_file|WARNING: {2}errors ignored/;

/**
 * Replaces a scratch server's database by a copy of another, with data, roles and privileges.
 *
 * @returns its size
 * @throws UserError if the copy cannot be made whole
 */
export async function copyDatabase(source: DatabaseUrl, scratch: Scratch, signal?: AbortSignal): Promise<number> {
  const target = databaseUrl(scratch.url);
  const folder = await mkdtemp(join(tmpdir(), "exai-copy-"));
  try {
    const path = join(folder, "dump");
    const [, roles] = await Promise.all([
      dumpDatabase(source, path, signal),
      docker(clientArguments(source, "pg_dumpall", ["--roles-only", "--no-role-passwords"]), {
        input: `${source.password}\n`,
      }),
    ]);
    const maintenance = databaseUrl(scratch.url.replace("/postgres?", "/template1?"));
    await withClient(maintenance, async (client) => {
      await client.query("drop database postgres with (force)");
      await client.query("create database postgres template template0");
      // One after the other: most exist, and a role of the platform may have attributes that only its owner can give.
      for (const statement of roles.split(/;\n/).filter((text) => /^\s*(--.*\n|\s)*(CREATE|ALTER|GRANT)/.test(text)))
        await client.query(statement.replaceAll(/^\s*--.*$/gm, "")).catch(() => undefined);
    });
    await restore(target, path, signal);
    return await withClient(target, async (client) => {
      const { rows } = await client.query<{ bytes: string }>("select pg_database_size(current_database()) as bytes");
      return Number(rows[0]?.bytes ?? 0);
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function restore(target: DatabaseUrl, path: string, signal: AbortSignal | undefined): Promise<void> {
  const file = await open(path, "r");
  const args = clientArguments(target, "pg_restore", ["--no-password"]);
  const child = spawn("docker", args, {
    stdio: ["pipe", "ignore", "pipe"],
    ...(signal === undefined ? {} : { signal }),
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.stdin.on("error", () => undefined);
  child.stdin.write(`${target.password}\n`);
  file.createReadStream().pipe(child.stdin);
  const [code] = (await once(child, "close")) as [number | null];
  signal?.throwIfAborted();
  const errors = said.split("\n").filter((line) => line.includes("error:") && !EXPECTED.test(line));
  if (code === 0 || (code === 1 && errors.length === 0)) return;
  const problem = `a copy of the database cannot be restored: ${errors[0] ?? said.trim().split("\n").at(-1) ?? ""}`;
  throw new UserError("failed", "scratch database", problem, "correct what it names");
}
