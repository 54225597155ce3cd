import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker } from "../../../operations/docker/cli.ts";
import { runProgram } from "../../../operations/docker/process.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { migrationStatus } from "../../../operations/migrations/apply.ts";
import { supabase } from "../../../operations/migrations/supabase.ts";
import { databaseUrl } from "../../../operations/migrations/url.ts";
import { startPostgresStack, type PostgresStack } from "../../support/postgres-stack.ts";
import { until } from "../../support/rollout/stack.ts";

let stack: PostgresStack;
let folder: string;

/** A certificate for 127.0.0.1 that vouches for itself; returns the path without its ending. */
async function certificate(name: string): Promise<string> {
  const path = join(folder, name);
  const ran = await runProgram("openssl", [
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${name}`],
    ...["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", `${path}.key`, "-out", `${path}.crt`],
  ]);
  if (ran.code !== 0) throw new Error(ran.stderr);
  return path;
}

/** Puts a file into the database's own folder, which is the only place that its user may write. */
async function put(name: string, content: string): Promise<void> {
  const directory = (await stack.sql("show data_directory")).trim();
  await docker(["exec", "-i", stack.postgres, "sh", "-c", `umask 077; cat > ${directory}/${name}`], { input: content });
}

const url = (mode: string, authority: string): string => {
  const parsed = new URL(stack.url);
  parsed.searchParams.set("sslmode", mode);
  parsed.searchParams.set("sslrootcert", `${authority}.crt`);
  return parsed.href;
};
const byCli = (text: string) => supabase(["migration", "list"], databaseUrl(text), { root: PROJECT_ROOT });

let server: string;
let stranger: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "exai-tls-"));
  [server, stranger] = await Promise.all([certificate("server"), certificate("stranger")]);
  stack = await startPostgresStack();
  await put("server.crt", readFileSync(`${server}.crt`, "utf8"));
  await put("server.key", readFileSync(`${server}.key`, "utf8"));
  for (const setting of ["ssl_cert_file = 'server.crt'", "ssl_key_file = 'server.key'", "ssl = on"])
    await stack.sql(`alter system set ${setting}`);
  await stack.sql("select pg_reload_conf()");
  await until("the server has its certificate", 20, async () => (await stack.sql("show ssl")).trim() === "on");
});
afterAll(async () => {
  await stack.down();
  rmSync(folder, { recursive: true, force: true });
});

describe("a verified connection", () => {
  it("is accepted if the authority has signed the server's certificate", async () => {
    expect((await migrationStatus(url("verify-full", server))).length).toBeGreaterThan(5);
    expect(await byCli(url("verify-full", server))).toHaveProperty("migrations");
  });

  it("is refused by the client and by the Supabase CLI if another authority is trusted", async () => {
    await expect(migrationStatus(url("verify-full", stranger))).rejects.toThrow(/self.signed|certificate/i);
    await expect(byCli(url("verify-full", stranger))).rejects.toThrow(/certificate|tls|x509|connect/i);
  });

  it("is refused to a host that the certificate does not name", async () => {
    const elsewhere = url("verify-full", server).replace("127.0.0.1", "localhost");
    await expect(migrationStatus(elsewhere)).rejects.toThrow(/altnames|host/i);
    await expect(byCli(elsewhere)).rejects.toThrow(/certificate|tls|x509|connect/i);
  });
});
