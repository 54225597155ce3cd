import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accessKey, accessKeys, accessKeyText } from "../../../contract/envoy/access.ts";
import { ACCESS_SECRET } from "../../../contract/gateway.ts";
import { SlotAccess } from "../../../operations/rollout/ports/access.ts";
import type { ApiObject } from "../../../operations/rollout/kubernetes/api-types.ts";

/** A digest that no image has: settings of staging and prod require one. */
export const DIGEST = `@sha256:${"0".repeat(64)}`;

/** Stands for every secret, the signing key among them. */
export const SECRET = `stand-in-${"0123456789abcdef".repeat(3)}`;

/** Signs tokens for access to the slots of such a stack. */
export const STAND_IN_ACCESS = new SlotAccess("https://exai.test", () => accessKey(SECRET, 1));

/** A value for an unknown input, which Supabase or the deployment's secrets would supply. */
export function standIn(_resource: unknown, path: string): string {
  if (path.endsWith("localJWKS.inline")) return accessKeys(SECRET, 1);
  if (path.includes(ACCESS_SECRET.entry)) return accessKeyText(SECRET, 1);
  // Nothing answers there: the server serves what needs no database.
  if (path.includes("database-url")) return `postgresql://exai_server:${SECRET}@127.0.0.1:1/postgres?sslmode=disable`;
  return path.includes(".env[") ? "https://abcdefghijklmnopqrst.supabase.co" : SECRET;
}

/** A self-signed certificate for the gateway. */
export function certificate(namespace: string, host: string): ApiObject & { metadata: { name: string } } {
  const folder = mkdtempSync(join(tmpdir(), "exai-tls-"));
  try {
    const [key, crt] = [join(folder, "key.pem"), join(folder, "crt.pem")];
    const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", crt];
    execFileSync("openssl", [...args, "-subj", `/CN=${host}`], { stdio: "ignore" });
    const content = { "tls.key": readFileSync(key, "utf8"), "tls.crt": readFileSync(crt, "utf8") };
    const metadata = { name: "exai-tls", namespace };
    const secret = { apiVersion: "v1", kind: "Secret", metadata, type: "kubernetes.io/tls", stringData: content };
    return secret;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
