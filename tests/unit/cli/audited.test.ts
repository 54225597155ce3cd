import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { audited, CHANGING, type Change } from "../../../cli/audited.ts";
import { resultOf, type CliEvent, type Verb } from "../../../cli/events.ts";
import { EXIT, UserError } from "../../../contract/errors.ts";
import { claimHome } from "../../../contract/machine/stack-home.ts";
import { entriesOf, readAudit, type AuditEntry, type AuditStore } from "../../../operations/audit/log.ts";
import { runProgram } from "../../../operations/docker/process.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { AUDIT_NAME, KubernetesAuditStore } from "../../../operations/rollout/kubernetes/audit-store.ts";
import { Cluster } from "../../../operations/rollout/kubernetes/cluster.ts";
import { FileAuditStore } from "../../../platforms/compose/audit-file.ts";
import { homeEntries } from "../../../platforms/compose/home.ts";
import { startConfigMaps, type ConfigMaps } from "../../support/config-maps.ts";
import { commandTree } from "../../support/docs/commands.ts";
import { freePortSettings } from "../../support/free-ports.ts";
import { runVerb } from "../../support/verbs.ts";

const { signal } = new AbortController();
const change: Change = { verb: "rollback", reason: "orders fail" };
const backups = () => resultOf("backup list", Promise.resolve({ backups: [] }), () => EXIT.ok);

let folder: string;
let home: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "exai-audit-"));
  home = join(folder, "home");
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** The store of a local stack that exists. */
function fileStore(): FileAuditStore {
  claimHome(home, "i");
  return new FileAuditStore(home, "i");
}
const entries = async (store: AuditStore): Promise<readonly AuditEntry[]> => (await readAudit("s", store, 10)).entries;

describe("a changing verb", () => {
  it("is recorded with who, why and its outcome, and ends with its result", async () => {
    const store = fileStore();
    const { code, events } = await runVerb(audited(store, change, backups(), signal));
    expect(code).toBe(0);
    expect(events.map(({ type }) => type)).toEqual(["result"]);
    const [entry] = await entries(store);
    expect(entry).toMatchObject({ verb: "rollback", reason: "orders fail", outcome: { exitCode: 0 } });
    expect(entry?.who).toMatch(/.@./);
    expect(Date.now() - Date.parse(entry?.at ?? "")).toBeLessThan(60_000);
    expect(statSync(join(home, "audit.jsonl")).mode & 0o777).toBe(0o600);
    expect(homeEntries(home, "i").foreign).toEqual([]);
  });

  it.each([
    ["its error", false, { exitCode: 3, error: "lock-held" }],
    ["an interruption", true, { exitCode: 130, error: "interrupted" }],
  ])("is recorded with %s, which it still throws", async (_, interrupted, outcome) => {
    const store = fileStore();
    const abort = new AbortController();
    const fails = async function* (): Verb {
      yield { type: "note", level: "info", message: "begun" };
      if (interrupted) abort.abort(new Error("interrupted"));
      await Promise.resolve();
      throw new UserError("lock-held", "stack", "is held", "wait");
    };
    await expect(runVerb(audited(store, change, fails(), abort.signal))).rejects.toThrow("is held");
    expect(await entries(store)).toMatchObject([{ outcome }]);
  });

  it("that is killed stays as unfinished", async () => {
    const store = fileStore();
    const endless = async function* (): Verb {
      yield { type: "note", level: "info", message: "begun" };
      await new Promise(() => undefined);
      return EXIT.ok;
    };
    await audited(store, change, endless(), signal).next();
    await expect.poll(() => entries(store)).toMatchObject([{ verb: "rollback" }]);
    expect((await entries(store))[0]?.outcome).toBeUndefined();
  });

  it("does not wait for a log that does not answer, and warns before its result", async () => {
    const silent: AuditStore = { append: () => new Promise(() => undefined), lines: () => Promise.resolve([]) };
    const order: string[] = [];
    const work = async function* (): Verb {
      order.push("work");
      return yield* backups();
    };
    const verb = audited({ ...silent, append: () => (order.push("log"), silent.append([])) }, change, work(), signal);
    const { code, events } = await runVerb<CliEvent>(verb);
    expect(order).toEqual(["work", "log"]);
    expect(code).toBe(0);
    expect(events).toMatchObject(
      [{ type: "note", message: /audit log lacks this command/ }, { type: "result" }].map((event) =>
        "message" in event ? { ...event, message: expect.stringMatching(event.message) as string } : event,
      ),
    );
  });

  it("leaves no folder where there is no stack, except up, which makes one", async () => {
    const store = new FileAuditStore(home, "i");
    await runVerb(audited(store, change, backups(), signal));
    expect(readdirSync(folder)).toEqual([]);
    await runVerb(audited(store, { verb: "up" }, backups(), signal));
    expect(await entries(store)).toMatchObject([{ verb: "up", outcome: { exitCode: 0 } }]);
  });
});

describe("the log of a local stack", () => {
  const start = (id: string) => ({ id, at: "2026-11-29T09:00:00Z", verb: "up", who: "a@b", reason: "x".repeat(900) });

  it("survives damaged lines, and half a line at its end", async () => {
    const store = fileStore();
    await store.append([start("1")]);
    appendFileSync(join(home, "audit.jsonl"), 'nonsense\n{"id":7}\n{"id":"2","at":');
    await store.append([start("3")]);
    expect(await readAudit("s", store, 10)).toMatchObject({ entries: [{ id: "1" }, { id: "3" }], damaged: 3 });
  });

  it("has a bounded size, and keeps the newest", async () => {
    const store = fileStore();
    for (let id = 1; id <= 1200; id += 1) await store.append([start(String(id))]);
    const size = ["audit.jsonl", "audit.jsonl.1"].reduce((sum, name) => sum + statSync(join(home, name)).size, 0);
    expect(size).toBeLessThan(530 * 1024);
    const kept = await entries(store);
    expect(kept.map(({ id }) => Number(id))).toEqual(Array.from({ length: 10 }, (_, index) => 1191 + index));
  });

  it("drops the end of what it no longer has", () => {
    expect(entriesOf(['{"id":"1","exitCode":0,"seconds":1}'])).toEqual({ entries: [], damaged: 0 });
  });
});

describe("the log of a stack on a cluster", () => {
  let api: ConfigMaps;
  let store: KubernetesAuditStore;
  beforeAll(async () => {
    api = await startConfigMaps();
    store = new KubernetesAuditStore(Cluster.open({ kubeconfig: api.kubeconfig, namespace: "exai" }));
  });
  afterAll(async () => {
    await api.close();
  });

  it("is written by several machines at the same time, and bounded", async () => {
    await Promise.all(["a", "b", "c"].map(() => runVerb(audited(store, change, backups(), signal))));
    expect(await entries(store)).toMatchObject(Array.from({ length: 3 }, () => ({ outcome: { exitCode: 0 } })));
    const large = Array.from({ length: 400 }, (_, id) => ({
      ...{ id: String(id), at: "2026-11-29T09:00:00Z", verb: "up", who: "a@b", reason: "ü".repeat(600) },
    }));
    await store.append(large);
    const text = api.data[`exai/${AUDIT_NAME}`]?.lines ?? "";
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(256 * 1024);
    expect((await entries(store)).at(-1)?.id).toBe("399");
  });

  it("that is forbidden is a warning", async () => {
    api.mood = "forbids";
    const { code, text } = await runVerb(audited(store, change, backups(), signal));
    expect(code).toBe(0);
    expect(text).toContain("the audit log lacks this command: ");
  });
});

describe("the verbs of the program", () => {
  it("have --reason if they change a stack", async () => {
    const program = await commandTree();
    for (const verb of CHANGING) {
      const command = verb
        .split(" ")
        .reduce((at, name) => at.commands.find((each) => each.name() === name) ?? at, program);
      expect(
        command.options.map(({ long }) => long),
        verb,
      ).toContain("--reason");
    }
  });

  it("have --stack, and take the stack as an argument where no other comes first", async () => {
    const leaves = (command: Command): Command[] =>
      command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
    const nameOf = (command: Command): string =>
      command.parent === null ? "" : `${nameOf(command.parent)} ${command.name()}`.trim();
    const program = await commandTree();
    const verbs = [...leaves(program), ...program.commands.filter((each) => each.registeredArguments.length > 0)];
    const without = (has: (verb: Command) => boolean) => [...new Set(verbs.filter((each) => !has(each)).map(nameOf))];
    const noStack = ["complete", "doctor", "image build", "test"];
    const option = without(({ options }) => options.some(({ long }) => long === "--stack"));
    expect(option.toSorted()).toEqual(noStack);
    const argument = without(({ registeredArguments }) =>
      registeredArguments.some((each) => /^stacks?$/.test(each.name())),
    );
    expect(argument.toSorted()).toEqual([...noStack, "exec", "rollout history"].toSorted());
  });

  it("change nothing if they are not among those that are recorded", async () => {
    const leaves = (command: Command, path: readonly string[]): string[] =>
      command.commands.length === 0
        ? [path.join(" ")]
        : command.commands.flatMap((each) => leaves(each, [...path, each.name()]));
    const recorded: readonly string[] = CHANGING;
    const others = leaves(await commandTree(), []).filter((verb) => !recorded.includes(verb));
    // `exec` and `psql` run what a person types; `image build` and `doctor` change this machine, and no stack. Nor are the scratch
    // servers of `restore` a part of one.
    expect(others.toSorted()).toEqual([
      ...[
        "api-key list",
        "audit",
        "backup list",
        "branch diff",
        "branch list",
        "branch shadow",
        "branch status",
        "branch test",
        "complete",
        "doctor",
        "env",
        "exec",
        "image build",
        "log",
        "logs",
        "migrate lint",
        "migrate plan",
      ],
      ...["migrate test", "migrate verify", "plan", "preview", "psql", "releases"],
      ...["restore drop", "restore list", "restore promote", "rollout history", "rollout plan", "rollout status"],
      ...["rollout tester-link", "secrets status", "status", "synth", "test"],
    ]);
  });

  it("are all recorded, here as failed without Docker", async () => {
    claimHome(home, "exai-audit");
    const settings = {
      instance: "exai-audit",
      homeDirectory: home,
      ...(await freePortSettings()),
    };
    const flags = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${String(value)}`]);
    const words: Partial<Record<string, readonly string[]>> = {
      "secrets rotate": ["jwt"],
      ...Object.fromEntries(["create", "merge", "revert", "reset", "delete"].map((each) => [`branch ${each}`, ["a"]])),
      "api-key create": ["a", "--user", "00000000-0000-4000-8000-000000000001"],
      "api-key revoke": ["exai_abcdefgh"],
      "branch record": ["--out", join(home, "workload.jsonl")],
      cutover: ["--image", "exai/reference-server:2"],
    };
    const env = { DOCKER_HOST: `unix://${folder}/none.sock` };
    for (const verb of CHANGING) {
      const args = [...verb.split(" "), ...(words[verb] ?? []), ...flags, "--reason", `why ${verb}`];
      const ran = await runProgram(join(PROJECT_ROOT, "cli/start/run"), args, { cwd: PROJECT_ROOT, env });
      expect(ran.code, `${verb}: ${ran.stderr}`).toBeGreaterThan(1);
    }
    const lines = readFileSync(join(home, "audit.jsonl"), "utf8").trim().split("\n");
    const recorded = entriesOf(lines).entries;
    expect(recorded.map(({ verb, reason }) => [verb, reason])).toEqual(CHANGING.map((verb) => [verb, `why ${verb}`]));
    for (const { verb, outcome } of recorded) expect(outcome?.exitCode, verb).toBeGreaterThan(1);
    const log = await runProgram(join(PROJECT_ROOT, "cli/start/run"), ["log", "--last", "99", ...flags], {
      cwd: PROJECT_ROOT,
      env,
    });
    expect(log.stdout).toContain(`local: ${String(CHANGING.length)} of ${String(CHANGING.length)} changes`);
  });
});
