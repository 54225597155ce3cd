import { once } from "node:events";
import { createServer } from "node:net";
import { expect, it } from "vitest";
import { publishedPorts } from "../../../platforms/compose/ports.ts";
import { dockerStack } from "../../../platforms/compose/project.ts";
import { declaredStack } from "../../../platforms/declared.ts";
import { checkMachine } from "../../../platforms/machine/checks.ts";
import { isFree } from "../../../platforms/machine/listeners.ts";

it("a port of the local stack that a process has is not ok, with its holder and the fix", async () => {
  const free: (readonly [string, number])[] = [];
  for (const entry of publishedPorts(dockerStack(declaredStack("local")).settings))
    if (await isFree(entry[1])) free.push(entry);
  const [key, port] = free[0] ?? ["", 0];
  expect(port, "no port of the local stack is free").toBeGreaterThan(0);
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  try {
    const found = (await checkMachine()).find(({ name }) => name === "ports");
    expect(found?.ok).toBe(false);
    expect(found?.found).toContain(`${String(port)} (exai:${key}): `);
    expect(found?.found).toContain(`(process ${String(process.pid)})`);
    expect(String(found?.fix)).toMatch(new RegExp(`exai up .*--set ${key}=\\d+`));
  } finally {
    server.close();
  }
});
