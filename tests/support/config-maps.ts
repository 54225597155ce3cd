import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** As far as an API server is asked about ConfigMaps and Leases: versions, conflicts, and answers that do not come. */
export interface ConfigMaps {
  /** Path of a kubeconfig whose only context is `test`. */
  readonly kubeconfig: string;
  /** The data of each ConfigMap, by `<namespace>/<name>`. */
  readonly data: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** How often a write met a newer version. */
  readonly conflicts: number;
  /** What the next requests meet. */
  mood: "answers" | "is silent" | "forbids";
  close(): Promise<void>;
}

interface Stored {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly resourceVersion: string };
  /** Of a ConfigMap. */
  readonly data?: Record<string, string>;
}

/** Kinds by the path of their API. */
const KINDS: Readonly<Record<string, { readonly groupVersion: string; readonly name: string; readonly kind: string }>> =
  {
    "/api/v1": { groupVersion: "v1", name: "configmaps", kind: "ConfigMap" },
    "/apis/coordination.k8s.io/v1": { groupVersion: "coordination.k8s.io/v1", name: "leases", kind: "Lease" },
  };

export async function startConfigMaps(): Promise<ConfigMaps> {
  const stored = new Map<string, Stored>();
  let version = 0;
  const state = { mood: "answers" as ConfigMaps["mood"], conflicts: 0 };

  function answer(request: IncomingMessage, body: string, response: ServerResponse): void {
    const say = (code: number, object: unknown): void => {
      response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(object));
    };
    const refuse = (code: number, message: string): void => {
      say(code, { kind: "Status", apiVersion: "v1", status: "Failure", code, message });
    };
    const { pathname } = new URL(request.url ?? "/", "http://api");
    const asked = KINDS[pathname];
    if (asked !== undefined) {
      const { groupVersion, ...resource } = asked;
      say(200, { kind: "APIResourceList", groupVersion, resources: [{ ...resource, namespaced: true, verbs: [] }] });
      return;
    }
    if (state.mood === "is silent") return;
    if (state.mood === "forbids") {
      refuse(403, "configmaps is forbidden");
      return;
    }
    const [, path = "", namespace = "", plural = "", name = ""] =
      /^(.+)\/namespaces\/([^/]+)\/(configmaps|leases)(?:\/([^/]+))?$/.exec(pathname) ?? [];
    const type = { apiVersion: KINDS[path]?.groupVersion, kind: KINDS[path]?.kind };
    const given = body === "" || request.method === "DELETE" ? undefined : (JSON.parse(body) as Stored);
    const key = `${plural}/${namespace}/${given?.metadata.name ?? name}`;
    const present = stored.get(key);
    if (request.method === "DELETE") {
      if (stored.delete(key)) say(200, { kind: "Status", apiVersion: "v1", status: "Success" });
      else refuse(404, "not found");
      return;
    }
    if (given === undefined) {
      if (present === undefined) refuse(404, "not found");
      else say(200, { ...present, ...type });
      return;
    }
    const fits =
      request.method === "POST"
        ? present === undefined
        : present?.metadata.resourceVersion === given.metadata.resourceVersion;
    if (!fits) {
      state.conflicts += 1;
      refuse(409, "the object has been modified");
      return;
    }
    version += 1;
    stored.set(key, { ...given, metadata: { ...given.metadata, namespace, resourceVersion: String(version) } });
    say(200, { ...stored.get(key), ...type });
  }

  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => {
      body += part;
    });
    request.on("end", () => {
      answer(request, body, response);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const folder = mkdtempSync(join(tmpdir(), "exai-api-"));
  const kubeconfig = join(folder, "kubeconfig");
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const content = {
    clusters: [{ name: "c", cluster: { server: url, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: {} }],
    contexts: [{ name: "test", context: { cluster: "c", user: "u" } }],
    "current-context": "test",
  };
  writeFileSync(kubeconfig, JSON.stringify(content));
  return Object.defineProperties(state as unknown as ConfigMaps, {
    kubeconfig: { value: kubeconfig },
    data: {
      get: () =>
        Object.fromEntries(
          [...stored].flatMap(([key, { data }]) =>
            data === undefined ? [] : [[key.replace("configmaps/", ""), data]],
          ),
        ),
    },
    close: {
      value: async () => {
        server.closeAllConnections();
        server.close();
        await once(server, "close");
        rmSync(folder, { recursive: true });
      },
    },
  });
}
