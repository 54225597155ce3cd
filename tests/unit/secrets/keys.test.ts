import { describe, expect, it } from "vitest";
import { checkKeys } from "../../../platforms/kubernetes/keys.ts";
import { fixSaying } from "../../support/fix-saying.ts";

/** A slot's Secret whose server signs with this key. */
const signing = (key: string) => ({ data: { "jwt-token": Buffer.from(key).toString("base64") } });
const check = (config: Readonly<Record<string, string>>, key: string | undefined) => () => {
  checkKeys("prod", "blue", config, key === undefined ? undefined : signing(key));
};

describe("the keys for a slot", () => {
  it("are refused if they do not include the key that the other slot signs with", () => {
    // A checkout from before the rotation; users on green have tokens of the new key.
    expect(check({ jwtSecret: "old" }, "new")).toThrow(/would refuse the tokens that green signs/);
    expect(check({ jwtSecret: "old", jwtSecretNext: "new" }, "new")).toThrow(/would refuse/);
    expect(check({ jwtSecret: "old" }, "new")).toThrow(
      expect.objectContaining({ where: "slot blue", fix: fixSaying("git pull") }),
    );
  });

  it.each([
    [{ jwtSecret: "old" }, "old"],
    [{ jwtSecret: "new", jwtSecretPrevious: "old" }, "old"],
    [{ jwtSecret: "old", jwtSecretNext: "new", blueJwtKeys: "current+next" }, "old"],
    [{ jwtSecret: "old", jwtSecretNext: "new", blueJwtKeys: "next+current" }, "old"],
    [{ jwtSecret: "old", jwtSecretNext: "new", blueJwtKeys: "next" }, "new"],
  ])("may be %j if the other slot signs with the %s one", (config, key) => {
    expect(check(config, key)).not.toThrow();
  });

  it("are not checked if they are unknown: a generated key, a slot without a Secret", () => {
    expect(check({}, "generated")).not.toThrow();
    expect(check({ jwtSecretNext: "new", blueJwtKeys: "next+current" }, "generated")).not.toThrow();
    expect(check({ jwtSecret: "old" }, undefined)).not.toThrow();
  });
});
