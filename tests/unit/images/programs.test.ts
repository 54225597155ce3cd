import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { bundleReferenceServer } from "../../../operations/images/reference.ts";

it("a program of an image is the same, wherever the command is typed", async () => {
  const here = process.cwd();
  const inProject = await bundleReferenceServer();
  try {
    process.chdir(tmpdir());
    expect(await bundleReferenceServer()).toEqual(inProject);
  } finally {
    process.chdir(here);
  }
});
