import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { PulumiCommand } from "@pulumi/pulumi/automation/index.js";
import { UserError } from "../../contract/errors.ts";

/** Oldest CLI that this project is known to run with: the SDK streams engine events over a socket from here on. */
export const OLDEST_CLI = "3.206.0";

/** How to install the CLI: npm's package `pulumi` puts it under `~/.pulumi/versions`, where {@link findCli} finds it. */
export const INSTALL_HINT = "npx --yes pulumi version   (or: curl -fsSL https://get.pulumi.com | sh)";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where Pulumi keeps its programs, plugins and logins. */
export function pulumiHome(env: Environment = process.env): string {
  const given = env.PULUMI_HOME;
  return given === undefined || given === "" ? join(homedir(), ".pulumi") : given;
}

/**
 * Folder with `bin/pulumi`: that of PATH, else the installer's `~/.pulumi`, else the newest of `~/.pulumi/versions`.
 * Undefined if there is none.
 */
export function findCli(env: Environment = process.env): string | undefined {
  const onPath = (env.PATH ?? "").split(delimiter).filter((folder) => folder.endsWith("/bin"));
  const home = pulumiHome(env);
  const versions = join(home, "versions");
  const cached = existsSync(versions) ? readdirSync(versions).sort(newestFirst) : [];
  const roots = [...onPath.map((folder) => join(folder, "..")), home, ...cached.map((name) => join(versions, name))];
  return roots.find((root) => isProgram(join(root, "bin", "pulumi")));
}

/**
 * The Pulumi CLI.
 *
 * @throws UserError if there is none, or it is too old
 */
export async function pulumiCli(env: Environment = process.env): Promise<PulumiCommand> {
  const root = findCli(env);
  if (root === undefined)
    throw new UserError(
      "missing-tool",
      "pulumi",
      "the Pulumi CLI is neither on PATH nor under ~/.pulumi",
      INSTALL_HINT,
    );
  const cli = await PulumiCommand.get({ root, skipVersionCheck: true });
  const version = cli.version?.version ?? "0.0.0";
  if (cli.version?.compare(OLDEST_CLI) === -1)
    throw new UserError(
      "missing-tool",
      cli.command,
      `is version ${version}; at least ${OLDEST_CLI} is needed`,
      INSTALL_HINT,
    );
  return cli;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function newestFirst(a: string, b: string): number {
  return b.localeCompare(a, "en", { numeric: true });
}
