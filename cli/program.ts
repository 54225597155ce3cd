import { Command } from "commander";
import { registerBackup } from "./commands/backup.ts";
import { registerDoctor } from "./commands/doctor.ts";
import { registerDown } from "./commands/down.ts";
import { registerEnv } from "./commands/env.ts";
import { registerImage } from "./commands/image.ts";
import { registerLogs } from "./commands/logs.ts";
import { registerMigrate } from "./commands/migrate.ts";
import { registerPlan } from "./commands/plan.ts";
import { registerPreview } from "./commands/preview.ts";
import { registerRollout } from "./commands/rollout.ts";
import { registerSecrets } from "./commands/secrets.ts";
import { registerStatus } from "./commands/status.ts";
import { registerSynth } from "./commands/synth.ts";
import { registerTest } from "./commands/test.ts";
import { registerUp } from "./commands/up.ts";
import type { Run } from "./commands/command.ts";
import { run as runVerb } from "./run.ts";

const program = new Command("exai")
  .description("Deployment stack of the EX-AI MCP server")
  .option("--json", "print events as NDJSON")
  .option("--plain", "print plain lines, even on a terminal")
  .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
  .showHelpAfterError("(see --help)")
  .addHelpText(
    "after",
    `
The usual day:
  ./exai up                               the whole stack on this machine
  ./exai plan staging prod                what would run, and whether the policies allow it
  ./exai cutover --image <image>          move the users to a new release, step by step
  ./exai rollback                         take it back, now
  ./exai status                           how it is

Exit codes: 0 done, 1 violations found or rolled back, 2 could not do or judge it, 3 refused (somebody else is at it),
130 interrupted. Shell completion: source <(./exai complete bash)   (zsh and fish too)`,
  );

// Usage errors are 2 like every other thing that could not be done, and not commander's 1. Verbs inherit this when they
// are registered, so it comes first.
program.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

// `./exai logs | head`: the reader has had enough. What changes nothing ends in peace; a cutover ends as by Ctrl-C, between
// two steps and with its exit code, for nobody would hear the rest.
let unread = false;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  if (!unread) process.emit("SIGTERM");
  unread = true;
});

const run: Run = async (verb) => {
  const options = program.opts<{ json?: boolean; plain?: boolean }>();
  process.exitCode = await runVerb(verb, options);
};

for (const register of [
  registerUp,
  registerPreview,
  registerDown,
  registerStatus,
  registerLogs,
  registerEnv,
  registerSynth,
  registerRollout,
  registerPlan,
  registerMigrate,
  registerBackup,
  registerSecrets,
  registerImage,
  registerDoctor,
  registerTest,
])
  register(program, run);

if (process.argv[2] === "complete") {
  const { registerCompletion } = await import("./completion.ts");
  registerCompletion(program);
}
await program.parseAsync();
