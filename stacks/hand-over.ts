import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { UserError } from "../contract/errors.ts";
import { command, fix } from "../contract/fix.ts";
import { claimHome } from "../contract/machine/stack-home.ts";
import { readSecrets, secretsFile } from "./records.ts";

/**
 * Refuses a deployment by the engine onto a stack that Docker Compose runs: their containers have the same names. A preview
 * is allowed.
 *
 * @throws UserError
 */
export function refuseCompose(home: string): void {
  if (pulumi.runtime.isDryRun() || !existsSync(join(home, "compose.yaml"))) return;
  throw new UserError(
    "state-conflict",
    home,
    "is that of a stack that Docker Compose runs",
    fix`keep Compose: ${command("up")}; or hand over to the engine, data included: ${command("down")}, then ${command("up --engine")}`,
  );
}

/**
 * Writes generated secrets to `<home>/secrets.json`, mode 0600. They stay there with the data, also if the stack is deleted,
 * and the next deployment uses them. Operations on the running stack read them. A preview does not write.
 *
 * @param secrets values by the name of the resource that generates them
 */
export function handOver(
  home: string,
  instance: string,
  secrets: Readonly<Record<string, pulumi.Input<string>>>,
): void {
  if (pulumi.runtime.isDryRun()) return;
  claimHome(home, instance);
  pulumi.all(secrets).apply((values) => {
    const path = secretsFile(home);
    const text = `${JSON.stringify({ ...readSecrets(home), ...values }, null, 2)}\n`;
    writeFileSync(`${path}.${process.pid}.tmp`, text, { mode: 0o600 });
    renameSync(`${path}.${process.pid}.tmp`, path);
  });
}
