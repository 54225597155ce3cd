import { onStack, type Register, type SetFlags } from "./command.ts";

interface SynthFlags extends SetFlags {
  readonly out?: string;
  readonly withSecrets: boolean;
}

/** synth: the files of a stack, made without the engine. */
export const registerSynth: Register = (program, run) => {
  onStack(program.command("synth").description("write the Compose file or the Kubernetes manifests of a stack"))
    .option("--out <dir>", "write files to this folder instead of standard output")
    .option("--with-secrets", "write the known contents of Kubernetes Secrets", false)
    .action(async (stack: string, flags: SynthFlags) => {
      const { synth } = await import("../verbs/synth.ts");
      await run(() => synth(stack, flags.set ?? {}, { out: flags.out, withSecrets: flags.withSecrets }));
    });
};
