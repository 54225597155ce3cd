import { homedir } from "node:os";
import { slotHost } from "../../contract/envoy/names.ts";
import { fix } from "../../contract/fix.ts";
import type { Slot } from "../../contract/slots.ts";
import type { Session } from "../../operations/session.ts";
import type { Settings } from "../../stacks/settings.ts";
import type { ExecOptions } from "../platform.ts";

/** A command in the first ready pod of a slot. */
export function kubectlExec(settings: Settings, slot: Slot, { command, terminal }: ExecOptions): Session {
  const { kubeconfig, kubeContext, instance } = settings;
  return {
    program: "kubectl",
    args: [
      ...(kubeconfig === undefined ? [] : ["--kubeconfig", kubeconfig.replace(/^~(?=\/)/, homedir())]),
      ...(kubeContext === undefined ? [] : ["--context", kubeContext]),
      ...["--namespace", instance, "exec", "--stdin", ...(terminal ? ["--tty"] : [])],
      // A slot that is scaled to zero has no pod, and kubectl would wait a minute for one.
      "--pod-running-timeout=10s",
      ...[`deployment/${slotHost(slot)}`, "--container", "server", "--", ...command],
    ],
    install: fix`install kubectl: https://kubernetes.io/docs/tasks/tools/ (on Debian: sudo apt-get install kubernetes-client)`,
  };
}
