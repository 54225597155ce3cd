import { loadLazily } from "./lazy-modules.ts";

/** Loads the program of the stacks with Pulumi's SDK, when a command needs what a stack declares. */
export const loadProgram = () => {
  loadLazily();
  return import("./program.ts");
};
