import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ProgressEvent } from "../../../contract/events.ts";
import { IMAGE_LABELS, LOCAL_IMAGES } from "../../../contract/images.ts";
import { docker, imageLabels, tryDocker } from "../../../operations/docker/cli.ts";
import { buildImage } from "../../../operations/images/build.ts";
import { ensureImages } from "../../../operations/images/ensure.ts";
import { sourceOf } from "../../../operations/images/sources.ts";
import { Registries } from "../../../operations/images/registry.ts";

const prefix = `exs-${randomUUID().slice(0, 8)}`;
const directory = mkdtempSync(join(tmpdir(), "exai-ensure-"));
const registries = new Registries(join(directory, "registry.json"));
const { prometheus, alertmanager, postgresExporter, envoy } = LOCAL_IMAGES;

/** Same repositories as the real ones, tags that no registry has: these are always stand-ins. */
const standIns = {
  exporter: `registry.invalid/community/postgres-exporter:${prefix}`,
  unknown: `registry.invalid/none/nothing:${prefix}`,
};

async function ensure(references: readonly string[]): Promise<{ events: ProgressEvent[]; missing: string[] }> {
  const events: ProgressEvent[] = [];
  const generator = ensureImages(references, { registries });
  for (;;) {
    const next = await generator.next();
    if (next.done) return { events, missing: next.value.missing };
    events.push(next.value);
  }
}

beforeAll(async () => {
  await ensure([prometheus, alertmanager, postgresExporter, envoy]);
});
afterAll(async () => {
  await tryDocker(["image", "rm", "--force", standIns.exporter]);
  rmSync(directory, { recursive: true });
});

test("a build that Ctrl-C ends says what its tag names and what may still happen", async () => {
  const tag = `${prefix}:build`;
  const stop = new AbortController();
  const stage = (folder: string) =>
    writeFile(join(folder, "Dockerfile"), `FROM ${prometheus}\nUSER root\nRUN exec sleep 600\n`);
  const building = buildImage({ tag, content: ["slow"], stage, signal: stop.signal });
  setTimeout(() => {
    stop.abort(new Error("interrupted"));
  }, 2000);
  await expect(building).rejects.toMatchObject({
    name: "Interrupted",
    message: `${tag} does not exist; Docker may still complete the step that ran, or the build`,
  });
});

test.each([
  ["a source that is trusted unseen", "deb [trusted=yes] http://mirror.invalid bookworm main", "sources.list.d/x.list"],
  ["a setting against signatures", 'APT::Get::AllowUnauthenticated "true";', "apt.conf.d/x"],
])("a stand-in is not made on a base with %s", async (_, text, file) => {
  const base = `${prefix}:base`;
  const from = (dockerfile: string) => (folder: string) => writeFile(join(folder, "Dockerfile"), dockerfile);
  await buildImage({
    ...{ tag: base, content: [text] },
    stage: from(`FROM debian:bookworm-slim\nRUN echo '${text}' > /etc/apt/${file}\n`),
  });
  const source = sourceOf(standIns.exporter);
  const build = await source?.define(`${prefix}:refused`, base);
  if (build === undefined) throw new Error("the exporter has a source");
  await expect(buildImage({ ...build, target: "verified" })).rejects.toMatchObject({ code: "failed" });
  await expect(buildImage({ ...build, target: "verified", buildArgs: { BASE: "debian:bookworm-slim" } })).resolves.toBe(
    "built",
  );
  await tryDocker(["image", "rm", "--force", base, `${prefix}:refused`]);
});

describe("ensureImages", () => {
  test("does nothing for images that exist", async () => {
    expect(await ensure([prometheus, prometheus, alertmanager])).toEqual({ events: [], missing: [] });
  });

  test("leaves an image of the user alone that is made from one with a stand-in's label", async () => {
    const tag = `exai/reference-server:${prefix}`;
    await docker(["build", "--tag", tag, "-"], {
      input: `FROM ${alertmanager}\nLABEL ${IMAGE_LABELS.standIn}=debian:mmdebstrap\nENV OWN=1\n`,
    });
    try {
      const id = () => docker(["image", "inspect", "--format", "{{.Id}}", tag]);
      const before = await id();
      expect(await ensure([tag])).toEqual({ events: [], missing: [] });
      expect(await id()).toBe(before);
    } finally {
      await docker(["image", "rm", "--force", tag]);
    }
  });

  test("makes and labels a stand-in, and reports what it cannot make", async () => {
    const { events, missing } = await ensure([standIns.unknown, standIns.exporter]);
    expect(missing).toEqual([standIns.unknown]);
    const of = (reference: string) =>
      events
        .filter((event) => event.type === "step" && event.id === `image:${reference}`)
        .map((event) => ({ ...event }));
    expect(of(standIns.exporter).at(-1)).toMatchObject({
      status: "done",
      detail: "stand-in from debian:prometheus-postgres-exporter",
    });
    expect(of(standIns.unknown).at(-1)).toMatchObject({ status: "skipped" });
    const notes = events.flatMap((event) => (event.type === "note" ? [event.message] : []));
    expect(notes.some((note) => note.startsWith(`${standIns.exporter} is a stand-in`))).toBe(true);
    expect(notes.some((note) => note.startsWith(`${standIns.unknown} is left out`))).toBe(true);
    // The second reference of the same registry did not wait for it again.
    expect(notes.filter((note) => note.includes("a moment ago"))).toHaveLength(1);
    expect((await imageLabels(standIns.exporter))?.[IMAGE_LABELS.standIn]).toBe("debian:prometheus-postgres-exporter");
    expect(await ensure([standIns.exporter])).toEqual({ events: [], missing: [] });
  });

  test("stops when it is aborted", async () => {
    const generator = ensureImages([standIns.unknown], { registries, signal: AbortSignal.abort(new Error("stop")) });
    await expect(generator.next()).rejects.toThrow("stop");
  });
});

/** What the stack relies on, of the original and of the stand-in alike. */
describe("monitoring images", () => {
  const hardened = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"];

  test.each([
    [prometheus, "/prometheus", 9090, ["/bin/promtool", "check", "config", "/etc/prometheus/prometheus.yml"]],
    [alertmanager, "/alertmanager", 9093, ["/bin/amtool", "check-config", "/etc/alertmanager/alertmanager.yml"]],
  ])(
    "%s serves from a new volume without root, and has its pages, its tools and wget",
    async (image, data, port, tool) => {
      const name = `${prefix}-${port}`;
      try {
        await docker(["run", "--detach", "--name", name, ...hardened, `--volume=${name}:${data}`, image]);
        let probe;
        for (let attempt = 0; attempt < 100; attempt++) {
          probe = await tryDocker(["exec", name, "wget", "-q", "-O", "-", `http://127.0.0.1:${port}/-/ready`]);
          if (probe.code === 0) break;
          await sleep(100);
        }
        expect(probe).toMatchObject({ code: 0 });
        expect(await docker(["exec", name, "id", "-u"])).toBe("65534\n");
        expect(await docker(["exec", name, "stat", "-c", "%u", data])).toBe("65534\n");
        await docker(["exec", name, ...tool]);
        const page = (path: string) =>
          docker(["exec", name, "wget", "-q", "-O", "-", `http://127.0.0.1:${port}${path}`]);
        const first = await page("/");
        expect(first).not.toMatch(/does not include a web\s+application/);
        const parts = [...first.matchAll(/(?:src|href)="(?![a-z]+:)([^"#]+)"/g)];
        const paths = parts.map(([, part = ""]) => new URL(part, "http://pages").pathname);
        expect(paths).toContainEqual(expect.stringMatching(/\.js$/));
        for (const path of paths) {
          const content = await page(path);
          // Alertmanager's script asks for the styles.
          if (path === "/script.js")
            for (const [style] of content.matchAll(/lib\/[\w./-]+\.css/g)) await page(`/${style}`);
        }
      } finally {
        await docker(["rm", "--force", "--volumes", name]);
        await tryDocker(["volume", "rm", "--force", name]);
      }
    },
  );

  test("the exporter of Postgres starts with its name as entrypoint", async () => {
    const ran = await tryDocker(["run", "--rm", ...hardened, postgresExporter, "--version"]);
    expect(ran.stdout + ran.stderr).toContain("postgres_exporter");
  });
});

describe("the router's image", () => {
  const hardened = ["--read-only", "--cap-drop=ALL", "--user=101:101"];

  test("runs Envoy in the tag's version, with options alone or with its name before them", async () => {
    const version = /v(\d.*)$/.exec(envoy)?.[1] ?? "";
    for (const command of [["--version"], ["envoy", "--version"]])
      expect(await docker(["run", "--rm", ...hardened, envoy, ...command])).toContain(`/${version}/`);
    expect(await docker(["run", "--rm", ...hardened, "--entrypoint=envoy", envoy, "--version"])).toContain(version);
  });

  test("has a bash that opens sockets, which the health check needs", async () => {
    const script = "exec 3<>/dev/tcp/127.0.0.1/1";
    const ran = await tryDocker(["run", "--rm", ...hardened, "--entrypoint=bash", envoy, "-c", script]);
    expect(ran.stderr).toContain("Connection refused");
  });
});
