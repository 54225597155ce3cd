import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findCli, INSTALL_HINT } from "../../platforms/pulumi/cli.ts";

/** Whether these tests can run. Says why not, once per file. */
export function engineMissing(): boolean {
  const missing = findCli() === undefined;
  if (missing) console.warn(`tests/engine are skipped: there is no Pulumi CLI. Fix: ${INSTALL_HINT}`);
  return missing;
}

/**
 * Kubeconfig of a cluster that the engine can bring a stack up on, by the real providers: `EXAI_TEST_KUBECONFIG`. Its nodes get
 * images by `EXAI_TEST_LOAD_IMAGE`, a program that prints the reference by digest under which they have an image of the local
 * Docker daemon. Undefined without one of them, or without the engine.
 */
export function clusterForEngine(): string | undefined {
  const { EXAI_TEST_KUBECONFIG: kubeconfig = "", EXAI_TEST_LOAD_IMAGE: load = "" } = process.env;
  return kubeconfig !== "" && load !== "" && !engineMissing() ? kubeconfig : undefined;
}

/**
 * Hides the backend and the passphrase that the user may have: what runs from here on is logged in to nothing.
 *
 * @returns a folder for the test's own, and its removal
 */
export function loggedOut(): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "exai-engine-"));
  for (const name of ["BACKEND_URL", "ACCESS_TOKEN", "CONFIG_PASSPHRASE", "CONFIG_PASSPHRASE_FILE"])
    Reflect.deleteProperty(process.env, `PULUMI_${name}`);
  process.env.PULUMI_CREDENTIALS_PATH = folder;
  return {
    folder,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
