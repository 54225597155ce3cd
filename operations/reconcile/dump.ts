import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { UserError } from "../../contract/errors.ts";
import { LOCAL_IMAGES } from "../../contract/images.ts";
import { docker, DockerError } from "../docker/cli.ts";
import type { DatabaseUrl } from "../migrations/url.ts";
import { PLATFORM_SCHEMAS } from "./platform.ts";

/** The password comes by standard input, so that neither an argument nor the container's definition has it. */
const WITH_PASSWORD = 'IFS= read -r PGPASSWORD; export PGPASSWORD; exec "$@"';

/** Where the image keeps the certificate authorities of its system. */
const AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt";

/** Arguments of `docker` for one of PostgreSQL's clients in its image, on the network of this machine. */
export function clientArguments(database: DatabaseUrl, program: string, args: readonly string[]): readonly string[] {
  const { PGSSLMODE: mode = "", PGSSLROOTCERT: own } = database.tls;
  const authorities = !mode.startsWith("verify-")
    ? []
    : own === undefined || !existsSync(own)
      ? ["--env", `PGSSLROOTCERT=${AUTHORITIES}`]
      : ["--volume", `${own}:${own}:ro`];
  return [
    ...["run", "--rm", "--interactive", "--network", "host", "--read-only", "--cap-drop", "ALL", ...authorities],
    ...["--entrypoint", "bash", LOCAL_IMAGES.postgres, "-c", WITH_PASSWORD, program],
    ...[program, `--dbname=${database.url}`, ...args],
  ];
}

/** The schema of what the project manages, as `pg_dump` writes it. */
export async function dumpSchema(database: DatabaseUrl, signal?: AbortSignal): Promise<string> {
  const without = PLATFORM_SCHEMAS.map((schema) => `--exclude-schema=${schema}`);
  const args = clientArguments(database, "pg_dump", ["--schema-only", ...without]);
  return docker(args, { input: `${database.password}\n`, ...(signal === undefined ? {} : { signal }) }).catch(
    (cause: unknown) => {
      throw refused(database, cause instanceof DockerError ? cause.stderr : String(cause), cause);
    },
  );
}

/**
 * Dumps a database with its data to a file that only its owner can read, in the format of `pg_restore`.
 *
 * @throws UserError if the file exists, or `pg_dump` fails; nothing is left then
 */
export async function dumpDatabase(database: DatabaseUrl, path: string, signal?: AbortSignal): Promise<number> {
  const file = await open(path, "wx", 0o600).catch((cause: unknown) => {
    const problem = `cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new UserError("invalid-argument", path, problem, "name another file with --dump", { cause });
  });
  try {
    const child = spawn("docker", clientArguments(database, "pg_dump", ["--format=custom"]), {
      stdio: ["pipe", file.fd, "pipe"],
      ...(signal === undefined ? {} : { signal }),
    });
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.stdin?.end(`${database.password}\n`);
    const [code] = (await once(child, "close")) as [number | null];
    signal?.throwIfAborted();
    if (code !== 0) throw refused(database, said);
    await file.sync();
    return (await file.stat()).size;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

function refused(database: DatabaseUrl, said: string, cause?: unknown): UserError {
  const line = said.trim().split("\n").at(-1) ?? "";
  const options = cause === undefined ? {} : { cause };
  return new UserError("failed", database.display, `pg_dump failed: ${line}`, "correct what it names", options);
}

/**
 * The objects of a schema dump, by kind and name. Their text has no comments, no settings and no order of columns and grants,
 * none of which makes two schemas differ.
 */
export function dumpedObjects(dump: string): ReadonlyMap<string, string> {
  const objects = new Map<string, string>();
  for (const part of dump.split(/^--\n(?=-- Name: )/m).slice(1)) {
    const [, name = "", kind = "", schema = "", owner = ""] =
      /^-- Name: (.*?); Type: (.*?); Schema: (.*?); Owner: (.*)$/m.exec(part) ?? [];
    // A comment on an extension comes from its version on the server.
    if (schema !== "-" && PLATFORM_SCHEMAS.includes(schema)) continue;
    if (kind === "COMMENT" && name.startsWith("EXTENSION ")) continue;
    const lines = part
      .split("\n")
      .filter((line) => !/^(--|\\|SET |SELECT pg_catalog\.set_config)/.test(line) && line.trim() !== "")
      .map((line) => line.trim().replace(/,$/, ""));
    const text = ORDERLESS.has(kind) ? lines.sort() : lines;
    const key = `${kind.toLowerCase()} ${schema === "-" ? "" : `${schema}.`}${name}`;
    objects.set(key, [...(objects.has(key) ? [objects.get(key)] : []), `owner ${owner}`, ...text].join("\n"));
  }
  return objects;
}

/** Kinds whose lines have no meaning in their order. */
const ORDERLESS: ReadonlySet<string> = new Set(["TABLE", "ACL", "DEFAULT ACL", "FOREIGN TABLE", "TYPE"]);
