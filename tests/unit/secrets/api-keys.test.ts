import { expect, it } from "vitest";
import { listApiKeys } from "../../../operations/api-keys/keys.ts";
import { fixSaying } from "../../support/fix-saying.ts";
import { freePort } from "../../support/free-ports.ts";

it("a database that does not answer is brought up only if it is on this machine", async () => {
  const url = `postgres://postgres@127.0.0.1:${String(await freePort())}/postgres`;
  const refused = (remedy: string) => ({ code: "unavailable", fix: fixSaying(remedy) });
  await expect(listApiKeys({ url }, undefined)).rejects.toMatchObject(refused("up"));
  await expect(listApiKeys({ url, stack: "prod" }, undefined)).rejects.toMatchObject(refused("Pulumi.prod.yaml"));
});
