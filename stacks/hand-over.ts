import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { UserError } from "../contract/errors.ts";

/**
 * Refuses a deployment by the engine onto a stack that was brought up without it: the data there knows other passwords.
 * A preview may look.
 *
 * @throws UserError
 */
export function refuseCompose(home: string): void {
  if (pulumi.runtime.isDryRun() || !existsSync(join(home, "compose.yaml"))) return;
  throw new UserError(
    "failed",
    home,
    "belongs to a stack that Docker Compose runs; the engine would recreate it with other passwords",
    "go on with ./exai up; or give its data up first: ./exai down --volumes",
  );
}

/**
 * Leaves generated secrets in `<home>/secrets.json`, mode 0600, for what works on the running stack from this machine:
 * migrations, backups, smoke tests. Only a deployment writes; a preview does not.
 *
 * @param secrets values by the name of the resource that generates them
 */
export function handOver(home: string, secrets: Readonly<Record<string, pulumi.Input<string>>>): void {
  if (pulumi.runtime.isDryRun()) return;
  pulumi.all(secrets).apply((values) => {
    const path = join(home, "secrets.json");
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const known = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Record<string, string>) : {};
    const text = `${JSON.stringify({ ...known, ...values }, null, 2)}\n`;
    writeFileSync(`${path}.${process.pid}.tmp`, text, { mode: 0o600 });
    renameSync(`${path}.${process.pid}.tmp`, path);
  });
}
