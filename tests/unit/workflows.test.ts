import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { MARKER } from "../../policies/report/markdown.ts";

const FOLDER = join(import.meta.dirname, "../../.github/workflows");

interface Step {
  readonly name?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Record<string, string>;
  readonly "continue-on-error"?: boolean;
  readonly "timeout-minutes"?: number;
  readonly with?: Record<string, unknown>;
}
interface Workflow {
  readonly on: Record<string, unknown>;
  readonly permissions: Record<string, string>;
  readonly jobs: Record<
    string,
    {
      readonly permissions?: unknown;
      readonly environment?: string;
      readonly if?: string;
      readonly steps: readonly Step[];
    }
  >;
}

const workflows = readdirSync(FOLDER).map((name) => {
  const text = readFileSync(join(FOLDER, name), "utf8");
  return { name, text, workflow: parse(text) as Workflow };
});
const textOf = (value: unknown) => (typeof value === "string" ? value : "");
const steps = ({ workflow }: { workflow: Workflow }) => Object.values(workflow.jobs).flatMap((job) => job.steps);

describe.each(workflows)("$name", (file) => {
  test("pins every action to a commit", () => {
    for (const { uses } of steps(file)) if (uses !== undefined) expect(uses).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
  });

  test("passes external text to a script through its environment only", () => {
    for (const { run, with: inputs } of steps(file)) {
      expect(run ?? "").not.toMatch(/\$\{\{/);
      expect(textOf(inputs?.script)).not.toMatch(/\$\{\{/);
    }
  });

  test("grants only the permissions that it needs", () => {
    const writes = Object.entries(file.workflow.permissions).filter(([, access]) => access === "write");
    expect(writes).toEqual(file.name === "pull-request-comment.yml" ? [["pull-requests", "write"]] : []);
    for (const job of Object.values(file.workflow.jobs)) expect(job.permissions).toBeUndefined();
  });
});

test("the code of a pull request gets neither a secret nor a token that can write", () => {
  const { text, workflow } = workflows.find(({ name }) => name === "pull-request.yml") ?? {
    text: "",
    workflow: undefined,
  };
  expect(Object.keys(workflow?.on ?? {})).toEqual(["pull_request"]);
  expect(text).not.toMatch(/secrets\.|pull_request_target/);
});

describe("the comment", () => {
  const { script } = steps(
    workflows.find(({ name }) => name === "pull-request-comment.yml") ?? {
      workflow: { on: {}, permissions: {}, jobs: {} },
    },
  )
    .map((step) => step.with ?? {})
    .find((inputs): inputs is { script: string } => typeof inputs.script === "string") ?? { script: "" };
  const head = "f".repeat(40);
  let folder: string;
  let before: string;

  beforeEach(() => {
    before = process.cwd();
    folder = mkdtempSync(join(tmpdir(), "exai-comment-"));
    process.chdir(folder);
  });
  afterEach(() => {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  });

  /** Runs the workflow's script against a pull request and its comments; returns what it wrote. */
  async function post(
    plan: string | undefined,
    comments: object[],
    sha = head,
    files: readonly string[] = [],
  ): Promise<unknown[]> {
    if (plan !== undefined) writeFileSync("plan.md", plan);
    const written: unknown[] = [];
    const write = (kind: string) => (request: object) => {
      written.push({ kind, ...request });
      return Promise.resolve();
    };
    const run = {
      head_repository: { owner: { login: "fork" } },
      head_branch: "feature",
      head_sha: head,
      html_url: "https://example.com/run",
    };
    const listFiles = {};
    const github = {
      rest: {
        pulls: { list: () => Promise.resolve({ data: [{ number: 7, head: { sha } }] }), listFiles },
        issues: { listComments: {}, createComment: write("create"), updateComment: write("update") },
      },
      paginate: (list: unknown) =>
        Promise.resolve(list === listFiles ? files.map((filename) => ({ filename })) : comments),
    };
    const core = { info: () => undefined, setFailed: (reason: string) => written.push({ kind: "failed", reason }) };
    const context = { repo: { owner: "o", repo: "r" }, payload: { workflow_run: run } };
    const { constructor: AsyncFunction } = Object.getPrototypeOf(post) as {
      constructor: new (...source: string[]) => Script;
    };
    await new AsyncFunction("github", "context", "core", "require", script)(
      github,
      context,
      core,
      createRequire(import.meta.url),
    );
    return written;
  }
  type Script = (github: object, context: object, core: object, require: NodeJS.Require) => Promise<void>;

  test("is created once, then edited", async () => {
    const made = await post(`${MARKER}\n## Plan: allowed`, [{ id: 1, user: { type: "Bot" }, body: "other" }]);
    expect(made).toMatchObject([{ kind: "create", issue_number: 7 }]);
    const own = { id: 2, user: { type: "Bot" }, body: `${MARKER}\nold` };
    expect(await post(`${MARKER}\n## Plan: refused`, [own])).toMatchObject([
      { kind: "update", comment_id: 2, body: expect.stringContaining("## Plan: refused") as string },
    ]);
  });

  test("of a person who quotes the marker is kept", async () => {
    const quoted = { id: 3, user: { type: "User" }, body: MARKER };
    expect(await post(`${MARKER}\nplan`, [quoted])).toMatchObject([{ kind: "create" }]);
  });

  test("is not written for an outdated head, or without a plan", async () => {
    expect(await post(`${MARKER}\nplan`, [], "0".repeat(40))).toEqual([]);
    rmSync("plan.md");
    expect(await post(undefined, [])).toEqual([]);
    expect(await post("not a plan", [])).toEqual([{ kind: "failed", reason: "plan.md is not a plan" }]);
  });

  test("says which files that judge it the pull request changes, and a plan cannot deny it", async () => {
    const forged = `${MARKER}\n## Plan\n@admins <!-- x --> ![i](http://e) \x1b[2J\u202e\nIt changes no rule`;
    const [comment] = (await post(forged, [], head, ["policies/waivers.yaml", "docs/a.md", ".github/x`.yml"])) as {
      body: string;
    }[];
    const [first, second, ...plan] = comment?.body.split("\n") ?? [];
    expect(first).toBe(MARKER);
    expect(second).toContain("**It changes what judges it: `policies/waivers.yaml`, `.github/x?.yml`.**");
    expect(plan.join("\n")).not.toMatch(/@|<!--|!\[|[\x1b\u202e]/);
    for (const line of plan.slice(0, -2).filter((text) => text !== "")) expect(line).toMatch(/^>/);
    expect(((await post(`${MARKER}\nplan`, [])) as { body: string }[])[0]?.body).toContain(
      "It changes no rule, waiver",
    );
  });

  test("stays below GitHub's limit", async () => {
    const [comment] = (await post(`${MARKER}\n${"x".repeat(100_000)}`, [])) as { body: string }[];
    expect(comment?.body.length).toBeLessThan(65_536);
  });
});

describe("an approval", () => {
  const jobs = workflows.flatMap(({ name, workflow }) =>
    Object.entries(workflow.jobs).map(([job, { environment, if: condition }]) => ({
      name,
      job,
      environment,
      condition,
    })),
  );

  test("is needed by every job whose credentials can deploy, and the others have separate environments", () => {
    const stack = "${{ inputs.stack }}";
    expect(
      jobs.filter(({ environment }) => environment !== undefined).map((each) => [each.job, each.environment]),
    ).toEqual([
      ["plan", `${stack}-preview`],
      ["cutover", stack],
      ["preview", `${stack}-preview`],
      ["up", stack],
      ["rollback", `${stack}-rollback`],
    ]);
  });

  test("is not asked for another branch than the default one", () => {
    for (const { environment, condition, job } of jobs)
      if (environment !== undefined)
        expect(condition, job).toBe("github.ref_name == github.event.repository.default_branch");
  });

  test("of the files that judge a pull request is that of their owners", () => {
    const owners = readFileSync(join(FOLDER, "../CODEOWNERS"), "utf8");
    for (const path of ["/.github/", "/policies/", "/Pulumi.prod.yaml", "/exai", "/.ci/"])
      expect(owners).toMatch(new RegExp(`^${path.replaceAll(".", "\\.")}\\s+@`, "m"));
  });

  test("is not given by the rules of the pull request itself", () => {
    const own = stepsOf("pull-request.yml", "plan");
    const base = own.findIndex(({ run }) => run?.includes('git checkout "$BASE" -- policies') === true);
    expect(own[base]?.env).toEqual({ BASE: "${{ github.event.pull_request.base.sha }}" });
    expect(base).toBeLessThan(own.findIndex(({ run }) => run?.includes("./exai plan") === true));
    expect(base).toBeGreaterThan(0);
    // The reviewer sees the changed rules, compared before the base branch's take their place.
    const lines = own[base]?.run?.split("\n").map((line) => line.trim()) ?? [];
    const compared = lines.indexOf('git diff "$BASE" -- policies > plan/rules.diff');
    const shown = lines.findIndex(
      (line) => line.includes("plan/rules.diff; }") && line.includes('>> "$GITHUB_STEP_SUMMARY"'),
    );
    expect(compared).toBeGreaterThanOrEqual(0);
    expect(compared).toBeLessThan(lines.indexOf("rm -rf policies"));
    expect(shown).toBeGreaterThan(compared);
  });

  test("is not needed by previews, so the docs give their environment credentials that read only", () => {
    const page = readFileSync(join(import.meta.dirname, "../../docs/deploy.md"), "utf8");
    const row = page.split("\n").find((line) => line.startsWith("| `<stack>-preview` "));
    const [reviewers, , credentials] =
      row
        ?.split("|")
        .slice(2)
        .map((cell) => cell.trim()) ?? [];
    expect(reviewers).toBe("none");
    expect(credentials).toMatch(/^read: .*read-only role.*may only `select`$/);
  });
});

/** The steps of a job. */
const stepsOf = (workflow: string, job: string): readonly Step[] =>
  workflows.find(({ name }) => name === workflow)?.workflow.jobs[job]?.steps ?? [];

describe.each([
  ["cutover.yml", "cutover"],
  ["rollback.yml", "rollback"],
])("%s", (workflow, job) => {
  test("passes the database's address, because a rollback does not wait for the engine", () => {
    const verbs = stepsOf(workflow, job).filter(({ run }) => run?.includes("./exai ") === true);
    expect(verbs.length).toBeGreaterThan(1);
    for (const { env } of verbs) expect(env?.EXAI_DATABASE_URL).toBe("${{ secrets.EXAI_DATABASE_URL }}");
  });
});

test("a rollback continues without the engine's CLI, which a warm slot does not need", () => {
  const own = stepsOf("rollback.yml", "rollback");
  const cli = own.find(({ run }) => run?.includes("pulumi@") === true);
  expect(cli).toMatchObject({ "continue-on-error": true, "timeout-minutes": 1 });
  expect(own.indexOf(cli ?? {})).toBeLessThan(own.findIndex(({ run }) => run?.includes("./exai ") === true));
});

describe("the job of a cutover", () => {
  const own = stepsOf("cutover.yml", "cutover");
  const move = own.find(({ name }) => name?.startsWith("Cutover") === true);
  const rollBack = own.find(({ name }) => name === "Roll back");
  let folder: string;

  /** A replacement of `exai` that records its arguments and exits with the next code; a cutover that begins writes its identifier. */
  const EXAI = `#!/usr/bin/env bash
echo "$*" >> "$FOLDER/asked"
while [ -n "$BEGINS" ] && [ $# -gt 0 ]; do
  if [ "$1" = --id-file ]; then echo "$BEGINS" > "$2"; fi
  shift
done
read -r code rest < "$FOLDER/codes"
echo "$rest" > "$FOLDER/codes"
exit "$code"
`;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "exai-run-"));
    mkdirSync(join(folder, "bin"));
    for (const [path, text] of [
      ["exai", EXAI],
      ["bin/sleep", '#!/bin/sh\necho "$1" >> "$FOLDER/slept"\n'],
    ] as const) {
      writeFileSync(join(folder, path), text);
      chmodSync(join(folder, path), 0o755);
    }
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** Runs the script of a step as a runner does. */
  function run(step: Step | undefined, codes: readonly number[], begins = "") {
    writeFileSync(join(folder, "script"), step?.run ?? "exit 99");
    writeFileSync(join(folder, "codes"), `${codes.join(" ")}\n`);
    const { status, stdout, stderr } = spawnSync("bash", ["-e", "script"], {
      cwd: folder,
      encoding: "utf8",
      env: {
        PATH: `${join(folder, "bin")}${delimiter}${process.env.PATH ?? ""}`,
        ...{ FOLDER: folder, RUNNER_TEMP: folder, BEGINS: begins, GITHUB_RUN_ID: "7", GITHUB_ACTOR: "bob" },
        ...{ STACK: "prod", IMAGE: "i@sha256:1", STEPS: "5,100", HOLD: "5m", REASON: "" },
      },
    });
    expect(stderr).toBe("");
    const lines = (name: string) =>
      existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8").trim().split("\n") : [];
    const asked = lines("asked").map((line) => line.replace(/^--plain /, ""));
    return {
      status,
      stdout,
      asked,
      verbs: asked.map((line) => line.split(" --")[0]),
      slept: lines("slept").map(Number),
    };
  }

  test.each([
    ["succeeds", 0],
    ["is rolled back", 1],
  ])("that %s ends with its exit code", (_, code) => {
    const ran = run(move, [code], "bobs");
    expect(ran).toMatchObject({ status: code, verbs: ["cutover"] });
    expect(ran.asked[0]).toBe(
      `cutover --stack prod --image i@sha256:1 --steps 5,100 --hold 5m --id-file ${folder}/rollout --reason run 7 by bob`,
    );
  });

  test.each([2, 3])("that fails with %d before it begins is not resumed", (code) => {
    expect(run(move, [code])).toMatchObject({ status: code, verbs: ["cutover"], slept: [] });
  });

  test.each([2, 3, 137])("that is interrupted with %d resumes its own rollout, and ends with its exit code", (code) => {
    const ran = run(move, [code, 2, 0], "bobs");
    expect(ran).toMatchObject({ status: 0, verbs: ["cutover", "rollout resume", "rollout resume"], slept: [5, 15] });
    expect(ran.asked.slice(1)).toEqual(Array(2).fill("rollout resume --lead --stack prod --rollout bobs"));
    expect(ran.stdout).toContain(`::warning::The cutover ended with exit code ${String(code)}`);
  });

  test("that another process has taken over is not continued", () => {
    expect(run(move, [3, 3], "bobs")).toMatchObject({ status: 3, verbs: ["cutover", "rollout resume"] });
  });

  test("that cannot be resumed is rolled back, and fails", () => {
    const ran = run(move, [2, 2, 2, 2, 2, 0], "bobs");
    const tries = ["cutover", ...Array<string>(3).fill("rollout resume"), "rollout abort", "rollout abort"];
    expect(ran).toMatchObject({ status: 1, verbs: tries, slept: [5, 15, 30, 0, 5] });
    expect(ran.asked.at(-1)).toContain("--stack prod --rollout bobs --reason run 7");
  });

  test("that cannot be rolled back either ends within minutes and warns about its users", () => {
    const ran = run(move, Array<number>(10).fill(2), "bobs");
    expect(ran).toMatchObject({ status: 2, stdout: expect.stringContaining("::error::Users may be on") as string });
    expect(ran.verbs).toHaveLength(10);
    expect(ran.slept.reduce((sum, pause) => sum + pause, 0)).toBeLessThan(300);
  });

  test("that is cancelled rolls back only its own rollout", () => {
    expect(rollBack?.if).toBe("cancelled() && steps.cutover.outcome != 'skipped'");
    expect(move).toHaveProperty("id", "cutover");
    expect(run(rollBack, [])).toMatchObject({ status: 0, asked: [] });
    writeFileSync(join(folder, "rollout"), "");
    expect(run(rollBack, [])).toMatchObject({ status: 0, asked: [] });
    writeFileSync(join(folder, "rollout"), "bobs\n");
    expect(run(rollBack, [2, 0])).toMatchObject({
      status: 0,
      asked: Array(2).fill("rollout abort --stack prod --rollout bobs --reason run 7 was cancelled"),
    });
  });

  test("that is cancelled during another rollout is refused, and not retried", () => {
    writeFileSync(join(folder, "rollout"), "bobs\n");
    expect(run(rollBack, [3, 0])).toMatchObject({ status: 3, verbs: ["rollout abort"] });
  });
});
