import { InvalidArgumentError } from "commander";
import { EXIT, UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { diffBranch } from "../../../operations/branches/diff.ts";
import {
  branchStatus,
  createBranch,
  deleteBranch,
  listBranches,
  resetBranch,
  stackOf,
} from "../../../operations/branches/lifecycle.ts";
import type { Branches } from "../../../operations/branches/lifecycle.ts";
import { branchTarget, type BranchStatus } from "../../../operations/branches/model.ts";
import { shadowBranch } from "../../../operations/branches/shadow/shadow.ts";
import { testBranch } from "../../../operations/branches/test.ts";
import { openStack } from "../../../platforms/stack.ts";
import { audited, type Change } from "../../audited.ts";
import { confirmByName } from "../../confirm.ts";
import { removalQuestion } from "../../format/branch/hosted.ts";
import { resultOf, type Verb } from "../../events.ts";
import { againWithYes, YES, type YesFlag } from "./confirm.ts";
import { addMergeVerbs } from "./merge.ts";
import { addRecordVerb } from "./record.ts";
import { onStack, withReason, type ReasonFlag, type Register, type Run, type SetFlags } from "../command.ts";

interface AtFlag {
  readonly at?: string;
}

interface CreateFlags extends AtFlag {
  readonly withData: boolean;
  readonly persistent: boolean;
}

const CREATE_HELP = `
A branch of staging or prod is a project of Supabase, and costs money until "branch delete". It takes SUPABASE_ACCESS_TOKEN.

Exit codes: 0 made, 1 made, but a migration failed in it, 2 failed, 3 refused.`;

/** branch: copies of the database to try changes in. */
export const registerBranch: Register = (program, run) => {
  const branch = program.command("branch").description("copies of the database, to try changes of the schema in");
  const at = ["--at <moment>", "a time (UTC without a zone) or a position of the WAL, instead of the present"] as const;

  withReason(
    onStack(
      branch
        .command("create")
        .description("make a branch: a copy of the database with its data")
        .argument("[name]", "name"),
    ),
  )
    .option(...at)
    .option("--with-data", "of a hosted database: with its rows, which takes point-in-time recovery", false)
    .option(
      "--persistent",
      "of a hosted database: Supabase does not pause or delete the branch when it is not used",
      false,
    )
    .addHelpText("after", CREATE_HELP)
    .action(async (name: string | undefined, stack: string, flags: SetFlags & ReasonFlag & CreateFlags) => {
      const { withData, persistent } = flags;
      const target = flags.at === undefined ? undefined : branchTarget(flags.at);
      const chosen = name ?? generatedName(new Date());
      await change(run, stack, flags, { verb: "branch create", subject: chosen }, (branches, signal) =>
        resultOf(
          "branch create",
          createBranch(branches, chosen, { target, withData, persistent, signal }),
          ({ branch: made }) => exitCodeOf(made),
        ),
      );
    });

  onStack(branch.command("list").description("list the branches, and how old they are")).action(
    async (stack: string, flags: SetFlags) => {
      await run(async function* (signal) {
        const branches = await openStack(stack, flags.set).branches({ signal });
        const list = async () => ({ branches: await listBranches(branches), ...stackOf(branches) });
        return yield* resultOf("branch list", list(), () => EXIT.ok);
      });
    },
  );

  onStack(
    branch.command("status").description("show a branch and the URL to connect with").argument("<name>", "branch"),
  )
    .option("--with-password", "show the URL with its password", false)
    .addHelpText("after", "\nExit codes: 0 its migrations passed, 1 one failed, 2 failed.")
    .action(async (name: string, stack: string, flags: SetFlags & { withPassword: boolean }) => {
      await run(async function* (signal) {
        const branches = await openStack(stack, flags.set).branches({ signal });
        if (flags.withPassword && branches.passwords === undefined) throw keptBySupabase(name, stack);
        const status = async () => {
          const found = { branch: await branchStatus(branches, name), ...stackOf(branches) };
          if (found.branch.server !== "running") return found;
          const url = await branches.host.url(name);
          if (flags.withPassword) return { ...found, url };
          const { passwords } = branches;
          return { ...found, url: withoutPassword(url), ...(passwords === undefined ? {} : { passwords }) };
        };
        return yield* resultOf("branch status", status(), ({ branch: found }) => exitCodeOf(found));
      });
    });

  onStack(
    branch.command("diff").description("compare the schema of a branch with that of main").argument("<name>", "branch"),
  ).action(async (name: string, stack: string, flags: SetFlags) => {
    await run(async function* (signal) {
      const branches = await openStack(stack, flags.set).branches({ signal });
      return yield* resultOf("branch diff", diffBranch(branches, name), () => EXIT.ok);
    });
  });

  addMergeVerbs(branch, run);

  onStack(branch.command("test").description("run supabase/tests/branches on a branch").argument("<name>", "branch"))
    .addHelpText("after", "\nExit codes: 0 all passed, 1 a test failed, 2 failed.")
    .action(async (name: string, stack: string, flags: SetFlags) => {
      await run(async function* (signal) {
        const branches = await openStack(stack, flags.set).branches({ signal });
        return yield* resultOf("branch test", testBranch(branches, name, { signal }), ({ failed }) =>
          failed === 0 ? EXIT.ok : EXIT.violations,
        );
      });
    });

  addRecordVerb(branch, run);

  onStack(
    branch
      .command("shadow")
      .description("replay a recorded workload on main and on a branch, and compare the answers")
      .argument("<name>", "branch"),
  )
    .requiredOption("--workload <file>", "the file of a recording (branch record)")
    .option(
      "--slower <factor>",
      "report a statement whose median is more than this factor above main's",
      parseFactor,
      3,
    )
    .addHelpText(
      "after",
      `
Each transaction runs as its role and is rolled back, on main as well. Rows, SQLSTATE and latency are compared.

Exit codes: 0 no difference, 1 differences, or slower statements, 2 failed.`,
    )
    .action(async (name: string, stack: string, flags: SetFlags & { workload: string; slower: number }) => {
      await run(async function* (signal) {
        const branches = await openStack(stack, flags.set).branches({ signal });
        const options = { workload: flags.workload, slowerFactor: flags.slower, signal };
        return yield* resultOf(
          "branch shadow",
          shadowBranch(branches, name, options),
          ({ different, slower, unstable }) =>
            different + slower.length + unstable.length === 0 ? EXIT.ok : EXIT.violations,
        );
      });
    });

  withReason(
    onStack(
      branch
        .command("reset")
        .description("make a branch again from the database as it is now")
        .argument("<name>", "branch"),
    ),
  )
    .option(...at)
    .option(...YES)
    .action(async (name: string, stack: string, flags: SetFlags & ReasonFlag & AtFlag & YesFlag) => {
      const target = flags.at === undefined ? undefined : branchTarget(flags.at);
      await change(run, stack, flags, { verb: "branch reset", subject: name }, async function* (branches, signal) {
        const confirm = confirmOf(branches, flags, name);
        return yield* resultOf("branch reset", resetBranch(branches, name, { target, confirm, signal }), (made) =>
          exitCodeOf(made.branch),
        );
      });
    });

  withReason(
    onStack(branch.command("delete").description("remove a branch with its data").argument("<name>", "branch")),
  )
    .option(...YES)
    .action(async (name: string, stack: string, flags: SetFlags & ReasonFlag & YesFlag) => {
      await change(run, stack, flags, { verb: "branch delete", subject: name }, (branches) => {
        const confirm = confirmOf(branches, flags, name);
        return resultOf("branch delete", deleteBranch(branches, name, { confirm }), () => EXIT.ok);
      });
    });
};

/** @returns undefined if nothing is to be confirmed */
function confirmOf(branches: Branches, { yes }: YesFlag, name: string): (() => Promise<void>) | undefined {
  if (yes || branches.host.kind === "local") return undefined;
  return () => confirmByName(name, removalQuestion(name), againWithYes());
}

function keptBySupabase(name: string, stack: string): UserError {
  return new UserError(
    "invalid-argument",
    "--with-password",
    `is for branches on this machine: Supabase keeps the password of ${name}`,
    fix`${command(`psql ${stack} --branch ${name}`)} connects; supabase branches get ${name} shows the password`,
  );
}

/** Runs a verb that changes branches; it is recorded. */
async function change(
  run: Run,
  stack: string,
  { set, reason }: SetFlags & ReasonFlag,
  recorded: Pick<Change, "verb" | "subject">,
  work: (branches: Branches, signal: AbortSignal) => Verb,
): Promise<void> {
  await run((signal) => {
    const opened = openStack(stack, set);
    const verb = async function* (): Verb {
      return yield* work(await opened.branches({ signal }), signal);
    };
    return audited(opened.audit, { ...recorded, reason }, verb(), signal);
  });
}

/** Reads a factor of at least 1. */
function parseFactor(text: string): number {
  const factor = Number(text);
  if (text.trim() === "" || !(factor >= 1)) throw new InvalidArgumentError("Expected a number of at least 1.");
  return factor;
}

function withoutPassword(text: string): string {
  const url = new URL(text);
  url.password = "";
  return url.href;
}

function exitCodeOf({ state }: BranchStatus) {
  return state === "MIGRATIONS_FAILED" ? EXIT.violations : EXIT.ok;
}

/** Such as `b20261129-101500`. */
function generatedName(now: Date): string {
  const [date = "", time = ""] = now.toISOString().replaceAll(/[-:]/g, "").split("T");
  return `b${date}-${time.slice(0, 6)}`;
}
