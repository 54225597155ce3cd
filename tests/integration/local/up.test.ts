import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { existsSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { madeByCompose } from "../../../platforms/compose/containers.ts";
import { PGBOUNCER } from "../../../components/database/paths.ts";
import { MONITORING_PORTS } from "../../../components/monitoring/docker-jobs.ts";
import { ADMIN_PORT, EGRESS_PORT, OBSERVE_PORT, slotHost } from "../../../contract/envoy/names.ts";
import { OBJECT_STORE } from "../../../contract/storage/object-store.ts";
import { HTTP_PORT, SERVER_PATHS } from "../../../contract/server.ts";
import { otherSlot, SLOTS } from "../../../contract/slots.ts";
import { docker } from "../../../operations/docker/cli.ts";
import { runProgram } from "../../../operations/docker/process.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { freePorts } from "../../support/free-ports.ts";
import { EXAI, LocalInstance, type PrintedEvent } from "../../support/local-instance.ts";
import { addressesOf, bridgeAddress, reach } from "../../support/reach.ts";
import { signToken } from "../reference-server/harness.ts";

const SERVICES = [
  "alertmanager",
  "backup-runner",
  "object-store",
  "pgbouncer",
  "postgres",
  "postgres-exporter",
  "prometheus",
  "router",
  "server-blue",
  "server-green",
];

const started = (events: readonly PrintedEvent[]) =>
  [
    ...new Set(
      events
        .filter((event) => event.id?.startsWith("start:") === true && event.status === "done")
        .map((event) => event.id?.slice(6)),
    ),
  ].sort();
const result = (events: readonly PrintedEvent[]) => events.find((event) => event.type === "result")?.data;

describe("./exai up on this machine", () => {
  let instance: LocalInstance;
  let first: readonly PrintedEvent[];
  // What a slot may reach and what it may not, both on this machine.
  const provider = createHttpServer((_, response) => response.end("the provider"));
  let egressHosts: string;

  beforeAll(async () => {
    instance = await LocalInstance.create("up");
    provider.listen(0, "0.0.0.0");
    await once(provider, "listening");
    egressHosts = `${await bridgeAddress()}:${(provider.address() as AddressInfo).port}`;
    first = await instance.events(["up"], { grafana: "false", egressHosts });
  });
  afterAll(async () => {
    await instance.remove();
    provider.close();
  });

  const up = (settings: Record<string, string> = {}) => instance.events(["up"], { grafana: "false", ...settings });
  const ids = async () => {
    const lines = (
      await docker([
        "ps",
        "--no-trunc",
        "--filter",
        `label=exai.instance=${instance.name}`,
        "--format",
        "{{.Names}} {{.ID}}",
      ])
    )
      .trim()
      .split("\n");
    return new Map(lines.map((line) => line.split(" ") as [string, string]));
  };

  it("brings every service up, healthy, and applies the migrations", async () => {
    expect(started(first)).toEqual(SERVICES);
    expect(first.find((event) => event.id === "migrate" && event.status === "done")).toBeDefined();
    const status = await instance.events(["status"], { grafana: "false" });
    expect(result(status)?.services).toMatchObject(SERVICES.map((service) => ({ service, state: "healthy" })));
  });

  it("serves users through the router, from blue alone", async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => fetch(`http://127.0.0.1:${instance.ports.httpPort}/`)),
    );
    expect(
      new Set(answers.map((answer) => `${answer.status} ${answer.headers.get("x-exai-served-by") ?? ""}`)),
    ).toEqual(new Set(["200 blue"]));
    const link = await instance.events(["rollout", "tester-link", "--ttl", "5m"]);
    const { token } = result(link) as unknown as { token: string };
    const green = await fetch(`http://127.0.0.1:${instance.ports.httpPort}/`, {
      headers: { "x-exai-access": token },
    });
    expect(green.headers.get("x-exai-served-by")).toBe("green");
  });

  it("is scraped: Prometheus sees every target up", async () => {
    const query = async () => {
      const answer = await fetch(`http://127.0.0.1:${instance.ports.prometheusPort}/api/v1/query?query=up`);
      const { data } = (await answer.json()) as {
        data: { result: { metric: { job: string }; value: [number, string] }[] };
      };
      return data.result;
    };
    await expect
      .poll(async () => (await query()).filter(({ value }) => value[1] === "1").length, {
        timeout: 45_000,
        interval: 1000,
      })
      .toBeGreaterThanOrEqual(6);
    expect((await query()).filter(({ value }) => value[1] !== "1")).toEqual([]);
  });

  it("lets a slot reach the router's own ports for it, the pool of the database and the object store, and nothing else", async () => {
    const { containers, machine } = await addressesOf(instance.name);
    expect(Object.keys(containers).sort()).toEqual(SERVICES);
    expect(containers["backup-runner"]).toEqual({});
    const { prometheus, alertmanager, postgresExporter } = MONITORING_PORTS;
    const open = [HTTP_PORT, instance.ports.wsPort, EGRESS_PORT];
    const inside = [
      ...open,
      OBSERVE_PORT,
      ADMIN_PORT,
      prometheus,
      alertmanager,
      postgresExporter,
      5432,
      PGBOUNCER.port,
      OBJECT_STORE.port,
    ];
    const here = [22, Number(egressHosts.split(":")[1]), ...Object.values(instance.ports), ...inside];
    for (const slot of SLOTS) {
      const network = `${instance.name}-${slotHost(slot)}`;
      const own = Object.values(containers[slotHost(slot)] ?? {});
      const router = containers.router?.[network] ?? "";
      const pool = containers[PGBOUNCER.host]?.[`${network}-${PGBOUNCER.host}`] ?? "";
      const store = containers[OBJECT_STORE.host]?.[`${network}-${OBJECT_STORE.host}`] ?? "";
      expect(own).toHaveLength(3);
      for (const address of [...own, router, pool, store]) expect(address).toMatch(/^198\.1[89]\./);
      const foreign = Object.keys(containers[slotHost(otherSlot(slot))] ?? {});
      expect(foreign.filter((each) => each.startsWith(network))).toEqual([]);
      const others = Object.values(containers).flatMap((on) => Object.values(on).filter((each) => !own.includes(each)));
      expect(others.length).toBeGreaterThan(8);
      const all = others.flatMap((address) => inside.map((port) => `${address}:${port}`));
      for (const address of machine) all.push(...here.map((port) => `${address}:${port}`));
      const reached = Object.entries(await reach(`${instance.name}-${slotHost(slot)}`, all));
      expect(Object.fromEntries(reached.filter(([, what]) => what !== "nothing"))).toEqual({
        ...Object.fromEntries(open.map((port) => [`${router}:${port}`, "answers"])),
        [`${router}:${OBSERVE_PORT}`]: "closes",
        ...Object.fromEntries(
          inside
            .filter((port) => !open.includes(port) && port !== OBSERVE_PORT)
            .map((port) => [`${router}:${port}`, "refuses"]),
        ),
        ...Object.fromEntries(
          inside.map((port) => [`${pool}:${port}`, port === PGBOUNCER.port ? "answers" : "refuses"]),
        ),
        ...Object.fromEntries(
          inside.map((port) => [`${store}:${port}`, port === OBJECT_STORE.port ? "answers" : "refuses"]),
        ),
      });
    }
  });

  it("lets a slot reach the allowed hosts through the router, and no other", async () => {
    const inBlue = async (script: string) =>
      (await docker(["exec", `${instance.name}-server-blue`, "node", "-e", script])).trim();
    expect(
      await inBlue(`fetch("http://${egressHosts}/").then(async (a) => console.log(a.status, await a.text()))`),
    ).toBe("200 the provider");
    const tunnel = (target: string) =>
      inBlue(
        `require("http").request({ host: "router", port: ${EGRESS_PORT}, method: "CONNECT", path: "${target}" })` +
          `.on("connect", (a) => { console.log(a.statusCode); process.exit(); }).end()`,
      );
    expect(await tunnel(egressHosts)).toBe("200");
    const [machine = ""] = egressHosts.split(":");
    for (const other of [`${machine}:22`, "prometheus:9090", "postgres:5432", "127.0.0.1:9902", "example.org:443"])
      expect(await tunnel(other), other).toBe("403");
  });

  it("hardens every container as the engine itself reports it", async () => {
    const inspected = JSON.parse(await docker(["inspect", ...(await ids()).keys()])) as {
      Name: string;
      Config: { User: string; Env: string[] };
      HostConfig: Record<string, unknown> & { PortBindings: Record<string, { HostIp: string }[]> | null };
    }[];
    expect(inspected).toHaveLength(SERVICES.length);
    for (const { Name, Config, HostConfig } of inspected) {
      expect(Config.User, Name).toMatch(/^[1-9]\d*:/);
      expect(HostConfig, Name).toMatchObject({
        ReadonlyRootfs: true,
        Privileged: false,
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges:true"],
      });
      for (const limit of ["Memory", "NanoCpus", "PidsLimit"])
        expect(HostConfig[limit], `${Name} ${limit}`).toBeGreaterThan(0);
      for (const bindings of Object.values(HostConfig.PortBindings ?? {}))
        for (const { HostIp } of bindings) expect(HostIp, Name).toBe("127.0.0.1");
    }
  });

  it("keeps its secrets in files that only their container's user reads", async () => {
    const secrets = JSON.parse(readFileSync(join(instance.home, "secrets.json"), "utf8")) as Record<string, string>;
    expect(statSync(join(instance.home, "secrets.json")).mode & 0o777).toBe(0o600);
    expect(statSync(join(instance.home, "files/server-blue/run/secrets/exai/jwt-token")).mode & 0o777).toBe(0o600);
    const everything = `${readFileSync(join(instance.home, "compose.yaml"), "utf8")}${await docker(["inspect", ...(await ids()).keys()])}`;
    for (const value of Object.values(secrets)) expect(everything).not.toContain(value);
  });

  it("changes nothing the second time, and says so", async () => {
    const before = await ids();
    const events = await up();
    expect(started(events)).toEqual([]);
    expect(result(events)).toMatchObject({ changes: 0 });
    expect(await ids()).toEqual(before);
  });

  it("previews what up would change, with what differs, and changes nothing", async () => {
    const before = await ids();
    const preview = async (settings: Record<string, string> = {}) =>
      result(await instance.events(["preview"], { grafana: "false", ...settings }));
    const nothing = { platform: "compose", services: [], unchanged: SERVICES.length, images: [] };
    expect(await preview()).toMatchObject({ ...nothing, migrations: { pending: [] } });
    const changed = (await preview({ logLevel: "debug" }))?.services as { service: string; inputs: string[] }[];
    expect(changed.map(({ service }) => service)).toEqual(["server-blue", "server-green"]);
    for (const { inputs } of changed) expect(inputs).toEqual(["environment.LOG_LEVEL"]);
    expect(await preview(), "the setting is not kept").toMatchObject(nothing);
    expect(await ids()).toEqual(before);
  });

  it("opens psql and commands in the slots, with pipes, and passes their exit codes on", async () => {
    const identity = ["--set", `instance=${instance.name}`, "--set", `homeDirectory=${join(".exai", instance.name)}`];
    const exai = (words: readonly string[], input: string) => runProgram(EXAI, words, { cwd: PROJECT_ROOT, input });
    const query = await exai(["psql", ...identity, "--", "--no-align", "--tuples-only"], "select current_user, 6 * 7;");
    expect(query).toMatchObject({ code: 0, stdout: "postgres|42\n" });
    expect((await exai(["psql", "local", ...identity, "--", "-c", "nonsense"], "")).code).toBe(1);
    const echo = await exai(["exec", "green", ...identity, "--", "sh", "-c", "cat; hostname; exit 7"], "in ");
    expect(echo).toMatchObject({ code: 7, stdout: "in server-green\n" });
    expect((await exai(["exec", "blue", ...identity, "--", "no-such-command"], "")).code).toBeOneOf([126, 127]);
  });

  it("recreates only what a changed setting affects", async () => {
    const before = await ids();
    const events = await up({ dailyRetentionDays: "31" });
    expect(started(events)).toEqual(["backup-runner"]);
    const after = await ids();
    expect([...after].filter(([name, id]) => before.get(name) !== id).map(([name]) => name)).toEqual([
      `${instance.name}-backup-runner`,
    ]);
    expect(started(await up()), "it is a part of the stack").toEqual([]);
    expect(started(await up({ dailyRetentionDays: "" })), "it is removed").toEqual(["backup-runner"]);
  });

  it.each([
    ["status"],
    ["rollout", "status"],
    ["rollout", "plan"],
    ["rollback"],
    ["migrate", "plan"],
    ["backup", "list"],
    ["env"],
    ["synth"],
  ])("finds the ports that up was given: %s %s", async (...words) => {
    const ran = await instance.exaiWithoutPorts(words);
    // There is no release to return to, and the router has answered.
    expect(ran.code, ran.stdout).toBe(words[0] === "rollback" ? 3 : 0);
  });

  it("is in the audit log from its first up on", async () => {
    const entries = result(await instance.events(["log"]))?.entries as readonly unknown[];
    expect(entries[0]).toMatchObject({ verb: "up", outcome: { exitCode: 0 } });
  });

  it("shows what up was given", async () => {
    const status = result(await instance.events(["status"]));
    const ports = Object.fromEntries(Object.entries(instance.ports).map(([key, port]) => [key, String(port)]));
    expect(status?.overrides).toEqual({ ...ports, grafana: "false", egressHosts });
  });

  it("restores its database in place: users learn when to come back, no release is changed meanwhile, and a kill is resumed", async () => {
    const user = "00000000-0000-4000-8000-00000000000a";
    const sql = async (statement: string) => {
      const words = ["psql", "--set", `instance=${instance.name}`, "--set", `homeDirectory=${instance.home}`];
      const { stdout } = await runProgram(EXAI, [...words, "--", "-XqAt", "-c", statement], { cwd: PROJECT_ROOT });
      return stdout.trim();
    };
    await sql(`insert into auth.users (id) values ('${user}'); delete from public.rate_limits`);
    const secrets = JSON.parse(readFileSync(join(instance.home, "secrets.json"), "utf8")) as Record<string, string>;
    const token = signToken(secrets["generated-jwt"] ?? "", { sub: user, exp: Math.floor(Date.now() / 1000) + 3600 });
    const ask = async (path: string) => {
      const answer = await fetch(`http://127.0.0.1:${instance.ports.httpPort}${path}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      return { status: answer.status, after: Number(answer.headers.get("retry-after") ?? 0) };
    };
    const answers: { status: number; after: number }[] = [];
    const others = new Set<number>();
    const stop = new AbortController();
    const asking = (async () => {
      while (!stop.signal.aborted) {
        answers.push(await ask(SERVER_PATHS.conversations));
        for (const path of [SERVER_PATHS.health, SERVER_PATHS.ready]) others.add((await ask(path)).status);
        await sleep(50);
      }
    })();
    const at = await sql("select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
    await sql("create table public.mistake ()");

    const restore = instance.start(["restore", "--to", at, "--in-place", "--yes"], {}, "pipe");
    for await (const line of createInterface({ input: restore.stdout ?? process.stdin })) {
      const { id, status } = JSON.parse(line) as PrintedEvent;
      if (id !== "proof" || status !== "started") continue;
      const cutover = await instance.exai(["cutover", "--image", "exai/reference-server:1.0.0"]);
      expect(cutover).toMatchObject({ code: 3, stdout: expect.stringContaining("restore --in-place") as string });
      restore.kill("SIGKILL");
    }
    const refused = await instance.exai(["up"], { grafana: "false" });
    expect(refused).toMatchObject({ code: 3, stdout: expect.stringContaining("restore resume") as string });
    expect(result(await instance.events(["restore", "list"]))).toMatchObject({ unfinished: { phase: "closed" } });
    const resumed = result(await instance.events(["restore", "resume"]));
    expect(resumed).toMatchObject({ outcome: "restored-in-place", kept: null });
    expect(await sql("select to_regclass('public.mistake') is null")).toBe("t");
    await expect.poll(async () => (await ask(SERVER_PATHS.conversations)).status, { timeout: 30_000 }).toBe(200);
    stop.abort();
    await asking;
    expect([...new Set(answers.map(({ status }) => status))].sort()).toEqual([200, 503]);
    expect(answers.filter(({ status, after }) => status === 503 && after < 1)).toEqual([]);
    expect(others, "health and readiness").toEqual(new Set([200]));
    expect(started(await up())).toEqual([]);
  });

  it("names who has a port that is taken before it changes anything, and a command that works", async () => {
    const [port = 0] = await freePorts(1);
    const other = createServer().listen(port, "127.0.0.1");
    await once(other, "listening");
    try {
      const before = await ids();
      const ran = await instance.exai(["up"], { grafana: "false", httpPort: String(port) });
      expect(ran.code).toBe(3);
      expect(ran.stdout).toContain(`exai:httpPort: port ${String(port)} is in use by `);
      expect(ran.stdout).toContain(`(process ${String(process.pid)})`);
      expect(ran.stdout).toMatch(/up --set httpPort=\d+/);
      expect(await ids()).toEqual(before);
    } finally {
      other.close();
    }
  });

  it("restarts a container that was stopped manually", async () => {
    await docker(["stop", `${instance.name}-server-green`]);
    const sick = await instance.events(["status"], { grafana: "false" }, 1);
    expect(result(sick)?.unhealthy).toEqual(["server-green"]);
    expect(result(sick)?.services).toContainEqual(
      expect.objectContaining({ service: "server-green", state: "exited" }),
    );
    expect(started(await up())).toEqual(["server-green"]);
  });

  it("names the setting of a port that is taken", async () => {
    const ran = await instance.exai(["up"], {
      grafana: "false",
      alertmanagerPort: String(instance.ports.prometheusPort),
    });
    expect(ran.code).toBe(2);
    expect(ran.stdout).toContain("exai:alertmanagerPort");
  });

  it("refuses to remove data without a word, and keeps it", async () => {
    const ran = await instance.exai(["down", "--volumes"]);
    expect(ran.code).toBe(3);
    expect((await ids()).size).toBe(SERVICES.length);
  });

  it("is Compose's as long as it is there", async () => {
    expect(await madeByCompose(instance.name, "router")).toBe(true);
    expect(await madeByCompose(instance.name, "no-such-component")).toBeUndefined();
  });

  it("refuses to take over the containers of another checkout, and data that its own password does not open", async () => {
    const before = await ids();
    const elsewhere = join(".exai", `${instance.name}-elsewhere`);
    for (const verb of ["up", "preview"])
      expect(await instance.exai([verb], { grafana: "false", homeDirectory: elsewhere })).toMatchObject({
        code: 3,
        stdout: expect.stringContaining(`is of the stack in ${instance.home}`) as string,
      });
    rmSync(join(PROJECT_ROOT, elsewhere), { recursive: true });

    const password = JSON.parse(readFileSync(join(instance.home, "secrets.json"), "utf8")) as Record<string, string>;
    const owner = { user: "postgres", database: "postgres", password: password["generated-postgres"] };
    const client = new pg.Client({ host: "127.0.0.1", port: instance.ports.postgresPort, ...owner });
    await client.connect();
    await client.query("alter role postgres password 'that of another checkout'");
    const refused = await instance.exai(["up"], { grafana: "false" });
    await client.query(`alter role postgres password '${owner.password ?? ""}'`);
    await client.end();
    expect(refused.code, refused.stdout).toBe(3);
    expect(refused.stdout).toContain(`volume ${instance.name}-postgres-data`);
    expect(refused.stdout).toContain("was made with another password than that in");
    expect(await ids()).toEqual(before);
  });

  it("goes down and comes up again with its data, of which an upload that is half done is a part", async () => {
    const user = "00000000-0000-4000-8000-000000000001";
    const secrets = JSON.parse(readFileSync(join(instance.home, "secrets.json"), "utf8")) as Record<string, string>;
    const owner = { user: "postgres", database: "postgres", password: secrets["generated-postgres"] };
    const client = new pg.Client({ host: "127.0.0.1", port: instance.ports.postgresPort, ...owner });
    await client.connect();
    await client.query("insert into auth.users (id) values ($1)", [user]);
    // As a volume that was made with an older prelude.
    await client.query("drop schema supabase_functions cascade; alter database postgres reset exai.prelude");
    await client.end();
    const token = signToken(secrets["generated-jwt"] ?? "", { sub: user });
    const ask = (method: string, path: string, headers: Record<string, string> = {}, body?: string) =>
      fetch(`http://127.0.0.1:${instance.ports.httpPort}${path}`, {
        method,
        headers: { "tus-resumable": "1.0.0", authorization: `Bearer ${token}`, ...headers },
        ...(body === undefined ? {} : { body }),
      });
    const made = await ask("POST", SERVER_PATHS.uploads, {
      "upload-length": "6",
      "upload-metadata": "filename YS50eHQ=",
    });
    const location = made.headers.get("location") ?? "";
    const send = async (offset: string, body: string) => {
      const headers = { "upload-offset": offset, "content-type": "application/offset+octet-stream" };
      const answer = await ask("PATCH", location, headers, body);
      return `${answer.status} ${answer.headers.get("upload-offset") ?? (await answer.text())}`;
    };
    expect(await send("0", "abc")).toBe("204 3");

    await instance.events(["down"]);
    expect(await docker(["ps", "-aq", "--filter", `label=exai.instance=${instance.name}`])).toBe("");
    expect(await madeByCompose(instance.name, "router")).toBeUndefined();
    const rollback = await instance.exai(["rollback"]);
    expect(rollback.code).toBe(2);
    expect(rollback.stdout).toContain("is not up");

    // As in a new checkout: its passwords would not open the data.
    const path = join(instance.home, "secrets.json");
    renameSync(path, `${path}.moved`);
    for (const verb of ["up", "preview"]) {
      const refused = await instance.exai([verb], { grafana: "false" });
      expect(refused.code, refused.stdout).toBe(3);
      expect(refused.stdout).toContain(`volumes ${instance.name}-postgres-data, ${instance.name}-postgres-backups`);
      expect(refused.stdout).toContain(`have no passwords in ${path}`);
    }
    expect(existsSync(path)).toBe(false);
    expect(await docker(["ps", "-aq", "--filter", `label=exai.instance=${instance.name}`])).toBe("");
    renameSync(`${path}.moved`, path);

    const events = await up();
    expect(events.find((event) => event.id === "migrate")?.status).toBe("unchanged");
    // The whole file is read back from the store before this is answered.
    expect(await send("3", "def")).toBe("204 6");
    const words = ["psql", "--set", `instance=${instance.name}`, "--set", `homeDirectory=${instance.home}`];
    const found = "select count(*), to_regprocedure('supabase_functions.http_request()') is not null from auth.users";
    const { stdout } = await runProgram(EXAI, [...words, "--", "-XqAt", "-c", found], { cwd: PROJECT_ROOT });
    expect(stdout).toMatch(/^[1-9]\d*\|t$/m);
  });
});
