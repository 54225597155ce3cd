import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";
import { expect, it } from "vitest";
import { handbook } from "../../policies/report/handbook.ts";
import { RULES } from "../../policies/rules/index.ts";

it("docs/policies.md matches the rules", async () => {
  const file = fileURLToPath(new URL("../../docs/policies.md", import.meta.url));
  const text = await format(
    handbook(RULES, ({ command }) => `./exai ${command}`),
    { ...(await resolveConfig(file)), parser: "markdown" },
  );
  await expect(text).toMatchFileSnapshot(file);
});
