import { execFileSync } from "node:child_process";
import { ensureImages } from "../../../operations/images/ensure.ts";

/** Makes or pulls images on this machine. @throws Error if one is not available */
export async function provideImages(images: readonly string[]): Promise<void> {
  const ensuring = ensureImages(images);
  let step = await ensuring.next();
  while (step.done !== true) step = await ensuring.next();
  if (step.value.missing.length > 0) throw new Error(`not available: ${step.value.missing.join(", ")}`);
}

/**
 * Gives an image of this machine to the cluster's nodes by the program of `EXAI_TEST_LOAD_IMAGE`.
 *
 * @returns the last line that the program prints; empty without a program
 */
export function loadImage(image: string): string {
  const program = process.env.EXAI_TEST_LOAD_IMAGE ?? "";
  if (program === "") return "";
  return execFileSync(program, [image], { encoding: "utf8" }).trim().split("\n").at(-1) ?? "";
}
