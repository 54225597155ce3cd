import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { cutoverWork } from "../../../cli/commands/rollout/cutover.ts";
import { SLOTS } from "../../../contract/slots.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { checkEnvironment, checkImage } from "../../../operations/rollout/commands/cutover.ts";
import { fixSaying } from "../../support/fix-saying.ts";
import { slotOf } from "../../support/rollout/access.ts";
import { runVerb } from "../../support/verbs.ts";
import { passes } from "./plans.ts";
import { Process, World } from "./world.ts";

/** A router that counts what it is asked, and a Prometheus that has the router's series when something was counted. */
let server: Server;
let asked: string[];
let counts: boolean;
beforeEach(async () => {
  asked = [];
  counts = true;
  server = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    if (request.url?.startsWith("/api/v1/") !== true) {
      asked.push(slotOf(request.headers));
      response.writeHead(503).end("{}");
      return;
    }
    const seen = counts && asked.length > 0;
    const result = seen ? [{ metric: {}, values: [[Date.now() / 1000, "1"]] }] : [];
    response.end(JSON.stringify({ status: "success", data: { resultType: "matrix", result } }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function context(world = new World()): RolloutContext {
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const own = world.context(new Process("ann@host"), url, passes);
  return { ...own, routerUrl: url };
}

it("a router without requests so far gets one request for each slot, with any answer", async () => {
  await checkEnvironment(context());
  expect(asked.sort()).toEqual([...SLOTS].sort());
  await checkEnvironment(context());
  expect(asked).toHaveLength(SLOTS.length);
});

it("a Prometheus that does not get the router's figures refuses the cutover", async () => {
  counts = false;
  await expect(checkEnvironment(context())).rejects.toMatchObject({
    where: "gates",
    message: expect.stringContaining("has no sample of the router") as string,
  });
});

it("a cutover writes its rollout's identifier into a file before anything of it is journalled", async () => {
  const folder = mkdtempSync(join(tmpdir(), "exai-id-"));
  const idFile = join(folder, "rollout");
  writeFileSync(idFile, "of a run before\n");
  const world = new World();
  const seen: { journalled: boolean; id: string }[] = [];
  try {
    const verb = cutoverWork({ image: "two", idFile })(context(world));
    for (let next = await verb.next(); next.done !== true; next = await verb.next())
      if (next.value.type === "note" && next.value.message.startsWith("rollout "))
        seen.push({
          journalled: world.journal?.machine.plan !== undefined,
          id: next.value.message.split(/[ :]/)[1] ?? "",
        });
    expect(seen).toEqual([{ journalled: false, id: world.history[0]?.rollout }]);
    expect(readFileSync(idFile, "utf8")).toBe(`${seen[0]?.id ?? ""}\n`);

    // One that is refused before it has a name leaves none of an earlier run behind.
    counts = false;
    await expect(runVerb(cutoverWork({ image: "two", idFile })(context()))).rejects.toMatchObject({ where: "gates" });
    expect(readFileSync(idFile, "utf8")).toBe("");
    const nowhere = join(folder, "missing", "rollout");
    await expect(runVerb(cutoverWork({ image: "two", idFile: nowhere })(context()))).rejects.toMatchObject({
      where: `--id-file ${nowhere}`,
      exitCode: 2,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("the image that the users have is refused, unless it is wanted again or the tag was built again", async () => {
  const own = context();
  const { image = "" } = await own.deployer.status("blue");
  const check = (again: boolean, digest?: string) =>
    checkImage({ ...own, deployer: Object.assign(own.deployer, { digestOf: () => Promise.resolve(digest) }) }, "blue", {
      image,
      again,
    });
  await expect(check(false)).rejects.toMatchObject({
    exitCode: 3,
    fix: fixSaying(`exai cutover --image ${image} --again`),
  });
  await check(true);
  await check(false, "sha256:another");
});
