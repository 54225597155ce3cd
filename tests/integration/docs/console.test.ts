import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { LocalInstance } from "../../support/local-instance.ts";
import { commandTree } from "../../support/docs/commands.ts";
import { consoleBlocks, fits, withOutputs, type Example } from "../../support/docs/console.ts";
import { readJournal } from "../../support/rollout/controller.ts";
import { DocsShell, type Printed } from "../../support/docs/shell.ts";

/** Writes what the commands print into the pages instead of comparing it. */
const CAPTURE = process.env.EXAI_CAPTURE === "true";

/** The pages with console blocks. README.md brings the stack up, and the other pages go on with it. */
const PAGES = [
  "README.md",
  ...readdirSync(join(PROJECT_ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => join("docs", path))
    .sort(),
].filter((page) => consoleBlocks(readPage(page)).length > 0);

/** Exit codes other than 0. */
const EXIT_CODES: Readonly<Record<string, number>> = {
  "./exai cutover --image exai/reference-server:1.2.0-bad": 1,
  './exai cutover --image exai/reference-server:1.1.0 --steps 25,100 --hold 5m --bake 5m --approve --reason "release 1.1.0"': 1,
  "./exai rollout status --watch": 1,
  "./exai rollout plan --image exai/reference-server:1.1.0": 3,
};

/** Commands that run in another terminal, and the state of the rollout at which the page goes on. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  './exai cutover --image exai/reference-server:1.1.0 --steps 25,100 --hold 5m --bake 5m --approve --reason "release 1.1.0"':
    "shift",
  "./exai rollout status --watch": "shift",
};

let instance: LocalInstance;
let shell: DocsShell;

beforeAll(async () => {
  instance = await LocalInstance.create("docs");
  shell = new DocsShell(instance, await commandTree(), !CAPTURE);
  // The releases that the pages speak of.
  for (const [, command = ""] of readPage("README.md").matchAll(/`(\.\/exai image build [^`]*)`/g))
    expect((await shell.run(command)).code, command).toBe(0);
});
afterAll(async () => {
  shell.remove();
  await instance.remove();
});

describe("the console blocks of", () => {
  for (const page of PAGES)
    it(`${page} are what the commands print`, async () => {
      const examples = consoleBlocks(readPage(page)).flatMap((block) => block.examples);
      const runs: Started[] = [];
      for (const example of examples) runs.push(await started(example));
      const printed = await Promise.all(runs.map((run) => run.printed));
      const seen = examples.map((example, index) => ({ ...example, code: null, lines: [], ...printed[index] }));
      const stale = seen.filter((example) => !fits(example, example.lines));
      if (CAPTURE && stale.length > 0) {
        const outputs = seen.map(({ lines }) => lines);
        writeFileSync(join(PROJECT_ROOT, page), withOutputs(readPage(page), outputs));
      }
      for (const { command, code, lines } of seen)
        expect(code, `${command}\n${lines.join("\n")}`).toBe(EXIT_CODES[command] ?? 0);
      for (const { command, lines, sample } of CAPTURE ? [] : stale)
        expect(lines, `${command}: run this test with EXAI_CAPTURE=true`).toEqual(sample);
    }, 600_000);
});

/** A command that has been started, and what it prints by its end. */
interface Started {
  readonly printed: Promise<Printed>;
}

/** Runs a command to its end, or where it runs in another terminal, until the page goes on. */
async function started({ command }: Example): Promise<Started> {
  const printed = shell.run(await named(command));
  const state = ELSEWHERE[command];
  if (state === undefined) await printed;
  const ended = printed.then(() => true);
  while (state !== undefined && readJournal(instance.home)?.machine.state.name !== state)
    if (await Promise.race([sleep(200, false), ended])) break;
  return { printed };
}

/** A page names a rollout of its own run; here that is the newest one. */
async function named(command: string): Promise<string> {
  const [, verb] = /^(\.\/exai rollout history) [0-9a-f]{6}$/.exec(command) ?? [];
  if (verb === undefined) return command;
  const { lines } = await shell.run("./exai --json rollout history");
  const id =
    lines
      .join("\n")
      .match(/\d{8}T\d{6}Z-[0-9a-f]{6}/g)
      ?.at(-1) ?? "";
  return `${verb} ${id.slice(-6)}`;
}

function readPage(page: string): string {
  return readFileSync(join(PROJECT_ROOT, page), "utf8");
}
