import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LABELS } from "../../contract/labels.ts";
import { docker } from "../../operations/docker/cli.ts";
import { runProgram } from "../../operations/docker/process.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { LocalInstance } from "../support/local-instance.ts";
import { engineMissing, loggedOut } from "./support.ts";

const WITHOUT_GRAFANA = { grafana: "false" };

/** The data of a local stack, which the stack is taken down from and up again by every road. */
describe.skipIf(engineMissing())("the data of a local stack and the keys that open it", () => {
  let instance: LocalInstance;
  let login: ReturnType<typeof loggedOut>;
  let backup = "";

  beforeAll(async () => {
    login = loggedOut();
    instance = await LocalInstance.create("data");
  });

  afterAll(async () => {
    await instance.remove();
    login.remove();
  });

  const exai = (words: readonly string[], code = 0) => instance.events(words, WITHOUT_GRAFANA, code);
  const containers = async () =>
    (await docker(["ps", "--all", "--quiet", "--filter", `label=${LABELS.instance}=${instance.name}`])).trim();

  /** The password as it is kept, read for each connection. */
  async function query(statement: string): Promise<readonly Record<string, unknown>[]> {
    const secrets = JSON.parse(readFileSync(join(instance.home, "secrets.json"), "utf8")) as Record<string, string>;
    const { postgresPort: port } = instance.ports;
    const address = { host: "127.0.0.1", port, user: "postgres", password: secrets["generated-postgres"] };
    const client = new pg.Client({ ...address, database: "postgres" });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(statement)).rows;
    } finally {
      await client.end();
    }
  }

  /** The old row and the old backup, each with the present keys. */
  async function opened(): Promise<void> {
    expect(await query("select text from kept")).toEqual([{ text: "an old row" }]);
    const info = await docker(["exec", `${instance.name}-backup-runner`, "exai-postgres", "pgbackrest", "info"]);
    expect(info).toContain(backup);
    expect(info).toContain("status: ok");
  }

  /** Runs the CLI as it is typed, on the backend and the copy of the stack file that `./exai` made. */
  async function pulumi(...words: readonly string[]) {
    const ran = await runProgram("pulumi", [...words, "--yes", "--stack", "local", "--non-interactive"], {
      cwd: PROJECT_ROOT,
      env: {
        PULUMI_BACKEND_URL: `file://${join(instance.home, "backend")}`,
        PULUMI_CONFIG_PASSPHRASE_FILE: join(instance.home, "backend", "passphrase"),
      },
    });
    return { ...ran, said: `${ran.stdout}\n${ran.stderr}` };
  }
  const configuration = () => ["--config-file", join(instance.home, "engine", "Pulumi.local.yaml")];

  test("a row and a backup are made", async () => {
    await exai(["up", "local", "--engine"]);
    await query("create table kept (text text)");
    await query("insert into kept values ('an old row')");
    const made = (await exai(["backup", "now", "local"])).at(-1)?.data as { backup?: { label?: string } };
    backup = made.backup?.label ?? "";
    expect(backup).not.toBe("");
    await opened();
  });

  test("down and up by the engine open them again", async () => {
    const data = (await exai(["down", "local"])).at(-1)?.data;
    expect(data).toMatchObject({ data: "kept" });
    expect(data?.kept).toEqual(expect.arrayContaining(["generated-backups", "generated-postgres", "postgres-data"]));
    expect(await containers()).toBe("");
    await exai(["up", "local", "--engine"]);
    await opened();
  });

  test("a raw destroy is refused, one without the protected resources leaves them, and a raw up opens them", async () => {
    const refused = await pulumi("destroy", ...configuration());
    expect(refused.code).not.toBe(0);
    expect(refused.said).toContain("protected");
    const destroyed = await pulumi("destroy", "--exclude-protected", ...configuration());
    expect(destroyed.code, destroyed.said).toBe(0);
    expect(await containers()).toBe("");
    const up = await pulumi("up", ...configuration());
    expect(up.code, up.said).toBe(0);
    await opened();
  });

  test("an up without the state of the engine opens them", async () => {
    await pulumi("destroy", "--exclude-protected", ...configuration());
    await pulumi("state", "delete", "--all");
    await exai(["up", "local", "--engine"]);
    await opened();
  });

  test("Compose does not take over a running stack of the engine, and down hands it over with its data", async () => {
    const before = await containers();
    const refused = await instance.exai(["up", "local"], WITHOUT_GRAFANA);
    expect([refused.code, refused.stdout]).toEqual([3, expect.stringContaining("was made by the Pulumi engine")]);
    expect(await containers()).toBe(before);
    await exai(["down", "local"]);
    await exai(["up", "local"]);
    await opened();
  });

  test("the engine does not take over a running stack of Compose, and down hands it over with its data", async () => {
    const before = await containers();
    const refused = await instance.exai(["up", "local", "--engine"], WITHOUT_GRAFANA);
    expect([refused.code, refused.stdout]).toEqual([3, expect.stringContaining("was made by Docker Compose")]);
    expect(await containers()).toBe(before);
    await exai(["down", "local"]);
    await exai(["up", "local", "--engine"]);
    await opened();
  });
});
