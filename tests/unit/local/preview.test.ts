import { expect, it } from "vitest";
import { changedInputs } from "../../../platforms/compose/inspect/preview.ts";

const before = {
  image: "a:1",
  environment: ["LOG_LEVEL=info", "OLD=1", "SAME=x"],
  labels: { slot: "blue", "exai.config-hash": "1" },
  ports: ["127.0.0.1:1:1/tcp"],
};

it("names the inputs of a definition that differ: variables and labels one by one, and never the hash of all", () => {
  const after = {
    ...before,
    environment: ["LOG_LEVEL=debug", "SAME=x", "NEW="],
    labels: { slot: "green", "exai.config-hash": "2" },
    ports: ["127.0.0.1:2:2/tcp"],
    init: true,
  };
  expect(changedInputs(before, after)).toEqual([
    ...["environment.LOG_LEVEL", "environment.NEW", "environment.OLD", "init", "labels.slot", "ports"],
  ]);
});

it("finds nothing in definitions that differ in their hash only", () => {
  expect(changedInputs(before, { ...before, labels: { slot: "blue", "exai.config-hash": "2" } })).toEqual([]);
});
