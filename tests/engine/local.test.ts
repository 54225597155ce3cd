import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { madeByCompose } from "../../platforms/compose/containers.ts";
import { planReports } from "../../cli/commands/plan.ts";
import { LOCAL_IMAGES } from "../../contract/images.ts";
import { LABELS } from "../../contract/labels.ts";
import { HEADERS, SERVER_PATHS } from "../../contract/server.ts";
import { UserError } from "../../contract/errors.ts";
import { docker } from "../../operations/docker/cli.ts";
import { runProgram } from "../../operations/docker/process.ts";
import { Engine } from "../../platforms/pulumi/engine.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import type { StackReport } from "../../policies/report/model.ts";
import { BRIEF_GATES, eventsIn, LocalInstance, PATIENT_GATES } from "../support/local-instance.ts";
import { engineMissing, loggedOut } from "./support.ts";

const FIXTURE = join(import.meta.dirname, "fixtures/privileged");

describe.skipIf(engineMissing())("local by the Pulumi engine, on Docker", () => {
  let instance: LocalInstance;
  let login: ReturnType<typeof loggedOut>;
  const release = `exai/reference-server:engine-test-${process.pid}`;

  const containers = async (format: string): Promise<string[]> =>
    (await docker(["ps", "-a", "--filter", `label=${LABELS.instance}=${instance.name}`, "--format", format]))
      .split("\n")
      .filter(Boolean)
      .sort();
  const running = async () =>
    (await docker(["ps", "-q", "--no-trunc", "--filter", `label=${LABELS.instance}=${instance.name}`]))
      .split("\n")
      .filter(Boolean)
      .sort();
  const ask = () => fetch(`http://127.0.0.1:${instance.ports.httpPort}${SERVER_PATHS.ready}`);
  const settings = () => ({
    instance: instance.name,
    homeDirectory: join(".exai", instance.name),
    ...Object.fromEntries(Object.entries(instance.ports).map(([key, port]) => [key, String(port)])),
    grafana: "false",
  });

  /** Runs the CLI as it is typed in a folder, on the backend and the copy of the stack file that `./exai` made. */
  const pulumi = (cwd: string, ...words: readonly string[]) =>
    runProgram(
      "pulumi",
      [
        ...words,
        "--stack",
        "local",
        "--non-interactive",
        "--config-file",
        join(instance.home, "engine/Pulumi.local.yaml"),
      ],
      {
        cwd,
        env: {
          PULUMI_BACKEND_URL: `file://${join(instance.home, "backend")}`,
          PULUMI_CONFIG_PASSPHRASE_FILE: join(instance.home, "backend/passphrase"),
        },
      },
    );

  beforeAll(async () => {
    login = loggedOut();
    instance = await LocalInstance.create("engine");
  });

  afterAll(async () => {
    await instance.remove();
    await docker(["image", "rm", "--force", release]);
    login.remove();
  });

  /** Runs a verb and returns its events; it prints no password of the stack, which the engine's own debug events have. */
  const guarded = async (...words: readonly string[]) => {
    const passwords = async () => readFile(join(instance.home, "secrets.json"), "utf8").catch(() => "{}");
    const before = await passwords();
    const { code, stdout, stderr } = await instance.exai(words, { grafana: "false" });
    expect(code, stdout + stderr).toBe(0);
    const known = [before, await passwords()].flatMap((text) => [...text.matchAll(/: "([^"]{12,})"/g)]);
    expect(known.length).toBeGreaterThan(words[0] === "preview" ? -1 : 5);
    for (const [, password = ""] of known) expect(stdout + stderr).not.toContain(password);
    return eventsIn(stdout);
  };

  test("preview lists what would be created, and creates nothing", async () => {
    const events = await guarded("preview", "local", "--engine");
    const data = events.at(-1)?.data as { counts: { create: number }; changes: { name: string; verb: string }[] };
    expect(data.counts.create).toBeGreaterThan(30);
    expect(data.changes).toContainEqual(expect.objectContaining({ name: "server-blue", verb: "create" }));
    expect(await containers("{{.Names}}")).toEqual([]);
  });

  test("up makes the stack: every container healthy, hardened, its files in place, the schema migrated", async () => {
    const events = await guarded("up", "local", "--engine");
    expect(events).toContainEqual(expect.objectContaining({ title: "create Container server-blue", status: "done" }));
    expect(events).toContainEqual(expect.objectContaining({ id: "migrate", status: "done" }));
    const states = await docker([
      ...["ps", "--filter", `label=${LABELS.instance}=${instance.name}`],
      ...["--format", "{{.Names}} {{.Status}}"],
    ]);
    const lines = states.trim().split("\n");
    expect(lines.length).toBeGreaterThanOrEqual(8);
    for (const line of lines) expect(line).toMatch(/\(healthy\)$/);
    expect(await madeByCompose(instance.name, "router")).toBe(false);
    const inspected = await docker([
      ...["inspect", `${instance.name}-server-blue`],
      ...[
        "--format",
        "{{.HostConfig.ReadonlyRootfs}} {{.Config.User}} {{.HostConfig.CapDrop}} {{len .HostConfig.Mounts}}",
      ],
    ]);
    expect(inspected.trim()).toMatch(/^true 10001:10001 \[ALL\]/);
    const secrets = await docker(["exec", `${instance.name}-server-blue`, "ls", "-l", "/run/secrets/exai"]);
    expect(secrets).toMatch(/-r--r--r--.* jwt-token/);
    expect((await ask()).status).toBe(200);
  });

  test("an audit of what was deployed finds nothing that is forbidden, and proves what the plan deferred", async () => {
    const [planned] = await planReports(["local"]);
    const deferred = planned?.deferred.map(({ policy }) => policy) ?? [];
    expect(deferred).not.toEqual([]);
    const out = join(login.folder, "audit.json");
    await instance.events(["audit", "local", "--format", "json", "--out", out], { grafana: "false" });
    const text = await readFile(out, "utf8");
    const { decision, stacks } = JSON.parse(text) as { decision: string; stacks: StackReport[] };
    expect(decision).toBe("clean");
    expect(stacks[0]?.counts.evaluated).toBeGreaterThan(0);
    expect(stacks[0]?.deferred).toEqual([]);
    // The engine passes secrets to the audit; the report does not contain them.
    const passwords = JSON.parse(await readFile(join(instance.home, "secrets.json"), "utf8")) as Record<string, string>;
    for (const password of Object.values(passwords)) expect(text).not.toContain(password);
  });

  test("a second up changes nothing and says so", async () => {
    const before = await running();
    const events = await instance.events(["up", "local", "--engine"], { grafana: "false" });
    expect(events).toContainEqual(expect.objectContaining({ id: "apply", status: "unchanged" }));
    expect(events.at(-1)?.data).toMatchObject({ changes: 0 });
    expect(await running()).toEqual(before);
  });

  test("status shows the services alone, with the names of their images", async () => {
    const { services } = (await instance.events(["status", "local"], { grafana: "false" })).at(-1)?.data as {
      services: { service: string; image: string }[];
    };
    expect(services.map(({ service }) => service)).not.toContainEqual(expect.stringMatching(/-files$/));
    expect(services).toContainEqual(
      expect.objectContaining({ service: "server-blue", image: LOCAL_IMAGES.referenceServer }),
    );
  });

  test("up makes again what was deleted or stopped by hand, and nothing else", async () => {
    const others = await containers("{{.ID}} {{.Names}}");
    await docker(["rm", "--force", `${instance.name}-server-green`]);
    await docker(["stop", `${instance.name}-alertmanager`]);
    const events = await instance.events(["up", "local", "--engine"], { grafana: "false" });
    expect(JSON.stringify(events)).toContain("made again: monitoring-alertmanager, server-green");
    expect(events.at(-1)?.data).toMatchObject({ changes: 2 });
    const now = await containers("{{.ID}} {{.Names}}");
    const kept = (each: string) => !/(server-green|alertmanager)$/.test(each);
    expect(now.filter(kept)).toEqual(others.filter(kept));
    expect(now.length).toBe(others.length);
  });

  test("a cutover moves the users of a stack that the engine made, and loses no request", async () => {
    await docker(["build", "--tag", release, "-"], {
      input: `FROM ${LOCAL_IMAGES.referenceServer}\nENV RELEASE=engine-test\n`,
    });
    const others = (await containers("{{.ID}} {{.Names}}")).filter((line) => !line.includes("server-green"));
    const asked = { all: 0, failed: 0 };
    let going = true;
    const users = (async () => {
      while (going) {
        const answer = await ask().catch(() => undefined);
        asked.all += 1;
        if (answer?.status !== 200) asked.failed += 1;
        await answer?.arrayBuffer();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    try {
      await instance.events(["cutover", "--image", release, "--steps", "50,100", "--hold", "5s", "--bake", "5s"], {
        ...PATIENT_GATES,
        grafana: "false",
      });
    } finally {
      going = false;
      await users;
    }
    expect(asked.all).toBeGreaterThan(100);
    expect(asked.failed).toBe(0);
    const answer = await ask();
    expect(answer.headers.get(HEADERS.servedBy)).toBe("green");
    expect(answer.headers.get(HEADERS.release)).toBe("engine-test");
    // Limited to the slot: nothing else was replaced.
    expect((await containers("{{.ID}} {{.Names}}")).filter((line) => !line.includes("server-green"))).toEqual(others);
  });

  test("an up after the cutover leaves the slot's image and the traffic alone", async () => {
    const before = await running();
    const events = await instance.events(["up", "local", "--engine"], { grafana: "false" });
    expect(events.at(-1)?.data).toMatchObject({ changes: 0 });
    expect(await running()).toEqual(before);
    expect((await ask()).headers.get(HEADERS.release)).toBe("engine-test");
  });

  /** Neither `up` nor the engine, which reads the container again, would start it. */
  const blueStaysStopped = async () => {
    const blue = async () =>
      (await docker(["inspect", "--format", "{{.State.Status}}", `${instance.name}-server-blue`])).trim();
    expect(await blue()).toBe("exited");
    const events = await instance.events(["up", "local", "--engine"], { grafana: "false" });
    expect(events.at(-1)?.data).toMatchObject({ changes: 0 });
    const ran = await pulumi(PROJECT_ROOT, "preview", "--refresh", "--expect-no-changes");
    expect(ran.code, `${ran.stdout}\n${ran.stderr}`).toBe(0);
    expect(await blue()).toBe("exited");
  };

  test("a slot that a rollout has stopped stays so, also if the engine reads it again", async () => {
    await instance.events(["rollout", "finish", "--drain", "0s"], { grafana: "false" });
    await blueStaysStopped();
  });

  test("a slot that a rollback has stopped stays so, also if the engine reads it again", async () => {
    const { referenceServer: image } = LOCAL_IMAGES;
    const settings = { ...BRIEF_GATES, grafana: "false" };
    await instance.events(["cutover", "--image", image, "--steps", "100", "--bake", "1s"], settings);
    expect((await ask()).headers.get(HEADERS.servedBy)).toBe("blue");
    await instance.events(["rollback"], { grafana: "false" });
    expect((await ask()).headers.get(HEADERS.release)).toBe("engine-test");
    await blueStaysStopped();
  });

  test("what the policies forbid is refused by the program itself, without the pack", async () => {
    const ran = await pulumi(FIXTURE, "preview");
    expect(ran.code).not.toBe(0);
    expect(ran.stdout).toContain("docker-privileged on server-green");
  });

  test("what the policies forbid is not applied", async () => {
    const before = await running();
    const engine = await Engine.open({
      root: FIXTURE,
      policyPack: join(PROJECT_ROOT, "policies"),
      stack: "local",
      folder: join(instance.home, "engine-fixture"),
      ownBackend: join(instance.home, "backend"),
      overrides: { ...settings(), greenImage: release },
    });
    const applied = (async () => {
      const events = engine.up();
      while ((await events.next()).done !== true);
    })();
    const error = await applied.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).exitCode).toBe(1);
    expect((error as UserError).message).toMatch(/docker-privileged on server-green/);
    expect(await running()).toEqual(before);
  });

  test("down deletes the stack, and with --volumes its data", async () => {
    await guarded("down", "local", "--volumes", "--yes");
    expect(await containers("{{.Names}}")).toEqual([]);
    const filter = ["--filter", `name=${instance.name}`, "--quiet"];
    expect((await docker(["volume", "ls", ...filter])).trim()).toBe("");
    expect((await docker(["network", "ls", ...filter])).trim()).toBe("");
  });
});
