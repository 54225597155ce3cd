import { Command } from "commander";
import { registerApiKey } from "./commands/api-key.ts";
import { registerAudit } from "./commands/audit.ts";
import { registerBackup } from "./commands/backups/backup.ts";
import { registerBranch } from "./commands/branch/branch.ts";
import type { Run } from "./commands/command.ts";
import { registerCutover } from "./commands/rollout/cutover.ts";
import { registerDoctor } from "./commands/doctor.ts";
import { registerDrill } from "./commands/backups/drill.ts";
import { registerDown } from "./commands/down.ts";
import { registerEnv } from "./commands/env.ts";
import { registerExec } from "./commands/exec.ts";
import { registerImage } from "./commands/image.ts";
import { registerLog } from "./commands/log.ts";
import { registerLogs } from "./commands/logs.ts";
import { registerMigrate } from "./commands/migrate/migrate.ts";
import { registerPlan } from "./commands/plan.ts";
import { registerPreview } from "./commands/preview.ts";
import { registerPsql } from "./commands/psql.ts";
import { registerReleases } from "./commands/rollout/releases.ts";
import { registerRestore } from "./commands/backups/restore.ts";
import { registerRollback } from "./commands/rollout/rollback.ts";
import { registerRollout } from "./commands/rollout/rollout.ts";
import { registerSecrets } from "./commands/secrets.ts";
import { registerStatus } from "./commands/status.ts";
import { registerSynth } from "./commands/synth.ts";
import { registerTest } from "./commands/test.ts";
import { registerUp } from "./commands/up.ts";
import { version } from "./version.ts";
import { usageError } from "./errors.ts";
import { fail, rendererFor, run as runVerb, type RenderOptions } from "./run.ts";
import { traceSources } from "./start/trace.ts";

traceSources();

const program = new Command("exai")
  .description("Deployment stack of the EX-AI MCP server")
  .option("--json", "print one JSON object per line, as docs/events.md describes them")
  .option("--plain", "print plain lines, even on a terminal")
  .option("-V, --version", "print the version, the commit and the version of Node")
  .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
  .configureOutput({ outputError: (message) => void fail([usageError(message)], rendererFor(given())) })
  .addHelpText(
    "after",
    `
Common commands:
  ./exai up                        bring up the whole stack on this machine
  ./exai plan staging prod         check what would run against the policies
  ./exai cutover --image <image>   move the traffic to a new release, step by step
  ./exai rollback                  move the traffic back to the previous release
  ./exai status                    show the services and their health

Exit codes: 0 done, 1 violations found or rolled back, 2 failed, 3 refused (another operation holds the lock, or the state
does not allow it), 130 interrupted. Shell completion: source <(./exai complete bash), also for zsh and fish.`,
  );

// The flags as typed, for what happens before commander has parsed them.
function given(): RenderOptions {
  return { json: process.argv.includes("--json"), plain: process.argv.includes("--plain") };
}

// Usage errors end with 2, as every other failure does, and not with commander's 1. Subcommands inherit this when they are
// registered, so it comes first.
program.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

// `./exai logs | head`: the reader has closed the pipe. The verb ends as by Ctrl-C: a cutover between two steps, with its exit
// code.
let closed = false;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  if (!closed) process.emit("SIGTERM");
  closed = true;
});

const run: Run = async (verb) => {
  process.exitCode = await runVerb(verb, program.opts<RenderOptions>());
};

for (const register of [
  registerUp,
  registerPreview,
  registerDown,
  registerStatus,
  registerLogs,
  registerExec,
  registerPsql,
  registerEnv,
  registerSynth,
  registerCutover,
  registerRollback,
  registerRollout,
  registerReleases,
  registerLog,
  registerPlan,
  registerAudit,
  registerMigrate,
  registerBackup,
  registerBranch,
  registerRestore,
  registerDrill,
  registerSecrets,
  registerApiKey,
  registerImage,
  registerDoctor,
  registerTest,
])
  register(program, run);

if (process.argv[2] === "complete") {
  const { registerCompletion } = await import("./completion.ts");
  registerCompletion(program);
}

if (
  ["-V", "--version"].includes(process.argv.slice(2).findLast((word) => word !== "--json" && word !== "--plain") ?? "")
)
  process.exitCode = await runVerb(version, given());
else await program.parseAsync();
