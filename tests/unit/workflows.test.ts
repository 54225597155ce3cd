import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { MARKER } from "../../policies/report/markdown.ts";

const FOLDER = join(import.meta.dirname, "../../.github/workflows");

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Record<string, unknown>;
}
interface Workflow {
  readonly on: Record<string, unknown>;
  readonly permissions: Record<string, string>;
  readonly jobs: Record<string, { readonly permissions?: unknown; readonly steps: readonly Step[] }>;
}

const workflows = readdirSync(FOLDER).map((name) => {
  const text = readFileSync(join(FOLDER, name), "utf8");
  return { name, text, workflow: parse(text) as Workflow };
});
const textOf = (value: unknown) => (typeof value === "string" ? value : "");
const steps = ({ workflow }: { workflow: Workflow }) => Object.values(workflow.jobs).flatMap((job) => job.steps);

describe.each(workflows)("$name", (file) => {
  test("takes every action by commit", () => {
    for (const { uses } of steps(file)) if (uses !== undefined) expect(uses).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
  });

  test("puts no text of others into a script, only into its environment", () => {
    for (const { run, with: inputs } of steps(file)) {
      expect(run ?? "").not.toMatch(/\$\{\{/);
      expect(textOf(inputs?.script)).not.toMatch(/\$\{\{/);
    }
  });

  test("grants what it needs and no more", () => {
    const writes = Object.entries(file.workflow.permissions).filter(([, access]) => access === "write");
    expect(writes).toEqual(file.name === "pull-request-comment.yml" ? [["pull-requests", "write"]] : []);
    for (const job of Object.values(file.workflow.jobs)) expect(job.permissions).toBeUndefined();
  });
});

test("a pull request's own code meets no secret and no writing token", () => {
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
  async function post(plan: string | undefined, comments: object[], sha = head): Promise<unknown[]> {
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
    const github = {
      rest: {
        pulls: { list: () => Promise.resolve({ data: [{ number: 7, head: { sha } }] }) },
        issues: { listComments: {}, createComment: write("create"), updateComment: write("update") },
      },
      paginate: () => Promise.resolve(comments),
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

  test("is made once, and edited from then on", async () => {
    const made = await post(`${MARKER}\n## Plan: allowed`, [{ id: 1, user: { type: "Bot" }, body: "other" }]);
    expect(made).toMatchObject([{ kind: "create", issue_number: 7 }]);
    const own = { id: 2, user: { type: "Bot" }, body: `${MARKER}\nold` };
    expect(await post(`${MARKER}\n## Plan: refused`, [own])).toMatchObject([
      { kind: "update", comment_id: 2, body: expect.stringContaining("## Plan: refused") as string },
    ]);
  });

  test("of a person who quotes the marker is not overwritten", async () => {
    const quoted = { id: 3, user: { type: "User" }, body: MARKER };
    expect(await post(`${MARKER}\nplan`, [quoted])).toMatchObject([{ kind: "create" }]);
  });

  test("is not written for a head that the pull request has left, nor without a plan", async () => {
    expect(await post(`${MARKER}\nplan`, [], "0".repeat(40))).toEqual([]);
    rmSync("plan.md");
    expect(await post(undefined, [])).toEqual([]);
    expect(await post("not a plan", [])).toEqual([{ kind: "failed", reason: "plan.md is not a plan" }]);
  });

  test("stays below GitHub's limit", async () => {
    const [comment] = (await post(`${MARKER}\n${"x".repeat(100_000)}`, [])) as { body: string }[];
    expect(comment?.body.length).toBeLessThan(65_536);
  });
});
