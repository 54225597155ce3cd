import { readFileSync } from "node:fs";
import { request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";

/** An object of the API, as far as the tests read it. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; [key: string]: unknown };
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
  [key: string]: unknown;
}

export interface Answer {
  readonly status: number;
  /** Parsed JSON, or the text. */
  readonly body: unknown;
  /** Texts of the `Warning` headers: Pod Security speaks in them. */
  readonly warnings: readonly string[];
}

interface Kubeconfig {
  "current-context": string;
  contexts: { name: string; context: { cluster: string; user: string } }[];
  clusters: {
    name: string;
    cluster: { server: string; "certificate-authority-data"?: string; "certificate-authority"?: string };
  }[];
  users: {
    name: string;
    user: {
      token?: string;
      "client-certificate-data"?: string;
      "client-certificate"?: string;
      "client-key-data"?: string;
      "client-key"?: string;
    };
  }[];
}

/** A small client of the Kubernetes API for tests: the current context of a kubeconfig with certificates or a token. */
export class KubernetesApi {
  /** Name of the context. */
  readonly context: string;
  private readonly server: URL;
  private readonly tls: { ca?: Buffer; cert?: Buffer; key?: Buffer };
  private readonly token: string | undefined;
  private readonly plurals = new Map<string, Promise<Map<string, { name: string; namespaced: boolean }>>>();

  constructor(kubeconfig: string) {
    const config = parse(readFileSync(kubeconfig, "utf8")) as Kubeconfig;
    this.context = config["current-context"];
    const context = find(config.contexts, this.context).context;
    const cluster = find(config.clusters, context.cluster).cluster;
    const user = find(config.users, context.user).user;
    this.server = new URL(cluster.server);
    const ca = material(cluster["certificate-authority-data"], cluster["certificate-authority"]);
    const cert = material(user["client-certificate-data"], user["client-certificate"]);
    const key = material(user["client-key-data"], user["client-key"]);
    this.tls = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
    this.token = user.token;
  }

  /** One request. @throws only where the server cannot be reached */
  send(method: string, path: string, body?: unknown, contentType = "application/json"): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const outgoing = request(
        new URL(path, this.server),
        {
          method,
          ...this.tls,
          headers: {
            accept: "application/json",
            ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
            ...(text === undefined ? {} : { "content-type": contentType, "content-length": Buffer.byteLength(text) }),
          },
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
          incoming.on("error", reject);
          incoming.on("end", () => {
            const raw = Buffer.concat(chunks).toString("utf8");
            const warning = incoming.headers.warning;
            resolve({
              status: incoming.statusCode ?? 0,
              body: incoming.headers["content-type"]?.startsWith("application/json") === true ? JSON.parse(raw) : raw,
              warnings: warning === undefined ? [] : [warning],
            });
          });
        },
      );
      outgoing.on("error", reject);
      outgoing.end(text);
    });
  }

  /** Server-side apply. @throws Error with the API's message where it refuses */
  async apply(object: KubernetesObject, manager = "exai-test"): Promise<Answer> {
    const path = await this.path(object.apiVersion, object.kind, object.metadata.namespace, object.metadata.name);
    const query = `?fieldManager=${manager}&force=true&fieldValidation=Strict`;
    const answer = await this.send("PATCH", `${path}${query}`, object, "application/apply-patch+yaml");
    if (answer.status >= 300)
      throw new Error(`${object.kind} ${object.metadata.name}: ${answer.status} ${messageOf(answer.body)}`);
    return answer;
  }

  /** The object, or undefined where there is none. */
  async get(
    apiVersion: string,
    kind: string,
    namespace: string | undefined,
    name: string,
  ): Promise<KubernetesObject | undefined> {
    const answer = await this.send("GET", await this.path(apiVersion, kind, namespace, name));
    if (answer.status === 404) return undefined;
    if (answer.status >= 300) throw new Error(`${kind} ${name}: ${answer.status} ${messageOf(answer.body)}`);
    return answer.body as KubernetesObject;
  }

  async list(
    apiVersion: string,
    kind: string,
    namespace: string,
    labels: Record<string, string>,
  ): Promise<KubernetesObject[]> {
    const selector = encodeURIComponent(
      Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(","),
    );
    const answer = await this.send("GET", `${await this.path(apiVersion, kind, namespace)}?labelSelector=${selector}`);
    return (answer.body as { items: KubernetesObject[] }).items;
  }

  async delete(apiVersion: string, kind: string, namespace: string | undefined, name: string): Promise<void> {
    await this.send("DELETE", `${await this.path(apiVersion, kind, namespace, name)}?propagationPolicy=Background`);
  }

  /** Output of a pod that has ended. @throws Error where the pod failed or did not end in time */
  async logs(namespace: string, pod: string, timeoutSeconds: number): Promise<string> {
    const ended = await this.until(`pod ${pod} to end`, timeoutSeconds, async () => {
      const found = await this.get("v1", "Pod", namespace, pod);
      const phase = found?.status?.phase;
      return phase === "Succeeded" || phase === "Failed" ? phase : undefined;
    });
    const answer = await this.send("GET", `/api/v1/namespaces/${namespace}/pods/${pod}/log`);
    const text = typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body);
    if (ended === "Failed") throw new Error(`pod ${pod} failed:\n${text}`);
    return text;
  }

  /** Asks until there is an answer. @throws Error with `what` after the time-out */
  async until<Found>(what: string, timeoutSeconds: number, ask: () => Promise<Found | undefined>): Promise<Found> {
    const deadline = Date.now() + timeoutSeconds * 1000;
    for (;;) {
      const found = await ask();
      if (found !== undefined) return found;
      if (Date.now() > deadline) throw new Error(`waited ${timeoutSeconds} s without success for ${what}`);
      await sleep(500);
    }
  }

  /** Whether the server knows a kind. */
  async knows(apiVersion: string, kind: string): Promise<boolean> {
    return (await this.kinds(apiVersion)).has(kind);
  }

  private async path(apiVersion: string, kind: string, namespace: string | undefined, name?: string): Promise<string> {
    const resource = (await this.kinds(apiVersion)).get(kind);
    if (resource === undefined) throw new Error(`the cluster has no kind ${kind} of ${apiVersion}`);
    const scope = resource.namespaced && namespace !== undefined ? `/namespaces/${namespace}` : "";
    return `${root(apiVersion)}${scope}/${resource.name}${name === undefined ? "" : `/${name}`}`;
  }

  private kinds(apiVersion: string): Promise<Map<string, { name: string; namespaced: boolean }>> {
    const known = this.plurals.get(apiVersion);
    if (known !== undefined) return known;
    const asked = this.send("GET", root(apiVersion)).then(({ body }) => {
      const resources = (body as { resources?: { name: string; kind: string; namespaced: boolean }[] }).resources ?? [];
      return new Map(resources.filter(({ name }) => !name.includes("/")).map((resource) => [resource.kind, resource]));
    });
    this.plurals.set(apiVersion, asked);
    return asked;
  }
}

function root(apiVersion: string): string {
  return apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

function find<Named extends { name: string }>(list: Named[], name: string): Named {
  const found = list.find((item) => item.name === name);
  if (found === undefined) throw new Error(`the kubeconfig has no ${name}`);
  return found;
}

function material(data: string | undefined, file: string | undefined): Buffer | undefined {
  if (data !== undefined) return Buffer.from(data, "base64");
  return file === undefined ? undefined : readFileSync(file);
}

function messageOf(body: unknown): string {
  return typeof body === "object" && body !== null && "message" in body ? String(body.message) : JSON.stringify(body);
}
