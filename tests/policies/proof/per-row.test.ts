import { beforeAll, describe, expect, it } from "vitest";
import { loadParser } from "../../../policies/proof/bodies.ts";
import { readsPerRow } from "../../../policies/proof/per-row.ts";

describe("a claim", () => {
  beforeAll(loadParser);

  it.each([
    "user_id = (select auth.uid())",
    "org = (select auth.jwt() -> 'app_metadata' ->> 'org') and user_id = (select auth.uid() as uid)",
    "user_id = (select (auth.jwt() ->> 'sub')::uuid)",
    "user_id = (select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid)",
    "team in (select team from public.members where person = (select auth.uid()))",
    "status = 'auth.uid()'",
  ])("is read once by %s", (condition) => {
    expect(readsPerRow(condition)).toBe(false);
  });

  it.each([
    "user_id = auth.uid()",
    "user_id = (select coalesce(auth.uid(), user_id))",
    "team in (select team from public.members where person = auth.uid())",
    "not (select auth.uid()) = owner or current_setting('request.headers', true) = note",
  ])("is read for each row by %s", (condition) => {
    expect(readsPerRow(condition)).toBe(true);
  });
});
