import {
  ApiException,
  type KubeConfig,
  KubernetesObjectApi,
  Log,
  PatchStrategy,
  PortForward,
  type KubernetesObject,
  type LogOptions,
} from "@kubernetes/client-node";
import type { RequestOptions } from "node:https";
import { duplexPair, Writable, type Duplex } from "node:stream";
import { UserError } from "../../../contract/errors.ts";
import { within } from "../../within.ts";
import type { ApiObject, Found } from "./api-types.ts";
import { kubeConfig } from "./kubeconfig.ts";

/** A cluster and a namespace in it. */
export interface KubernetesPlace {
  /** Path of the kubeconfig. @default KUBECONFIG, `~/.kube/config`, or the pod's own account */
  readonly kubeconfig?: string | undefined;
  /** @default the current context */
  readonly context?: string | undefined;
  /** The stack's namespace. */
  readonly namespace: string;
}

/** Another client changed the object since it was read, or created it first. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
}

/** Identifies an object. */
interface Reference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** @default the stack's namespace */
  readonly namespace?: string;
}

/** Deadline for one answer of the API server, in milliseconds. */
const ANSWER_MS = 10_000;

/** The API of one cluster, with the rights of a kubeconfig's context. */
export class Cluster {
  readonly namespace: string;
  readonly #config: KubeConfig;
  readonly #objects: KubernetesObjectApi;

  private constructor(config: KubeConfig, namespace: string) {
    this.#config = config;
    this.namespace = namespace;
    this.#objects = KubernetesObjectApi.makeApiClient(config);
  }

  /** @throws UserError if the kubeconfig cannot be read, or does not have the context */
  static open(place: KubernetesPlace): Cluster {
    return new Cluster(kubeConfig(place.kubeconfig, place.context), place.namespace);
  }

  /** Name of the context, for messages. */
  get context(): string {
    return this.#config.getCurrentContext();
  }

  /** @returns undefined if the object does not exist */
  async read<T extends ApiObject>({ apiVersion, kind, name, namespace }: Reference): Promise<Found<T> | undefined> {
    const metadata = { name, namespace: namespace ?? this.namespace };
    try {
      return (await this.#ask(
        `get ${kind} ${name}`,
        this.#objects.read({ apiVersion, kind, metadata }),
      )) as unknown as Found<T>;
    } catch (error) {
      if (error instanceof UserError && isStatus(error.cause, 404)) return undefined;
      throw error;
    }
  }

  /** Objects of a kind with all of these labels. */
  async list<T extends ApiObject>(
    apiVersion: string,
    kind: string,
    labels: Readonly<Record<string, string>>,
    namespace = this.namespace,
  ): Promise<readonly Found<T>[]> {
    const selector = Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(",");
    const listed = this.#objects.list(
      apiVersion,
      kind,
      namespace,
      ...[undefined, undefined, undefined, undefined],
      selector,
    );
    return (await this.#ask(`list ${kind}s`, listed)).items as unknown as Found<T>[];
  }

  /** @throws ConflictError if it exists */
  async create<T extends ApiObject>(object: T): Promise<Found<T>> {
    return (await this.#ask(
      `create ${titleOf(object)}`,
      this.#objects.create(object as KubernetesObject),
    )) as unknown as Found<T>;
  }

  /** Replaces exactly the version that was read. @throws ConflictError if it was changed or deleted since */
  async replace<T extends ApiObject>(object: Found<T>): Promise<Found<T>> {
    const replaced = this.#objects.replace(object);
    try {
      return await this.#ask(`update ${titleOf(object)}`, replaced);
    } catch (error) {
      if (error instanceof UserError && isStatus(error.cause, 404))
        throw new ConflictError(error.message, { cause: error });
      throw error;
    }
  }

  /**
   * Server-side apply: `manager` owns the object's fields from now on, even if another manager owned them.
   *
   * @throws ConflictError if `metadata.resourceVersion` is given and is not the current one
   */
  async apply<T extends ApiObject>(object: T, manager: string): Promise<Found<T>> {
    const applied = this.#objects.patch(object, undefined, undefined, manager, true, PatchStrategy.ServerSideApply);
    return (await this.#ask(`patch ${titleOf(object)}`, applied)) as unknown as Found<T>;
  }

  /** Deletes an object, and its dependents in the background. An object that does not exist is not an error. */
  async remove(object: ApiObject): Promise<void> {
    const gone = this.#objects.delete(object, ...[undefined, undefined, undefined, undefined], "Background");
    await this.#ask(`delete ${titleOf(object)}`, gone).catch((error: unknown) => {
      if (!(error instanceof UserError && isStatus(error.cause, 404))) throw error;
    });
  }

  /** The last lines of a container's log. `previous`: of the container before its last restart. */
  async log(pod: string, container: string, lines: number, previous: boolean): Promise<string> {
    const parts: string[] = [];
    const sink = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        parts.push(chunk.toString("utf8"));
        done();
      },
    });
    const ended = new Promise<void>((resolve) => sink.once("close", resolve).once("finish", resolve));
    await this.writeLog(pod, container, sink, { tailLines: lines, previous });
    await ended;
    return parts.join("");
  }

  /** Writes a container's log to a sink, which ends with it. Returns what stops that. */
  writeLog(pod: string, container: string, sink: Writable, options: LogOptions): Promise<AbortController> {
    return this.#ask(`logs of ${pod}`, new Log(this.#config).log(this.namespace, pod, container, sink, options));
  }

  /**
   * Opens a connection to a port of a pod through the API server and the kubelet, on any address that the process listens
   * on. If no process listens, the connection opens as well and ends with an error.
   */
  async connect(namespace: string, pod: string, port: number): Promise<Duplex> {
    const [near, far] = duplexPair();
    // An error on a connection that is no longer used must not end the process.
    near.on("error", () => undefined);
    // A refusal may arrive together with the opening: the caller has its listeners at the next turn of the event loop.
    const end = (error?: Error) => setImmediate(() => near.destroy(error));
    const failures = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        // The first message is only the port, which the library removes.
        if (chunk.length > 0) end(new Error(`${pod}:${String(port)}: ${chunk.toString("utf8").trim()}`));
        done();
      },
    });
    const forwarded = new PortForward(this.#config).portForward(namespace, pod, [port], far, failures, far);
    // Without retries, the library returns the WebSocket itself.
    type Socket = { onclose: (() => void) | null; terminate(): void };
    const opening = forwarded as Promise<unknown> as Promise<Socket>;
    const socket = await this.#ask(`portforward to ${pod}`, opening).catch((error: unknown) => {
      // A connection that opens too late is closed.
      void opening.then(
        (late) => {
          late.terminate();
        },
        () => undefined,
      );
      throw error;
    });
    socket.onclose = () => {
      end();
    };
    near.once("close", () => {
      socket.terminate(); // a closing handshake would keep the process waiting
    });
    return near;
  }

  /** Options of a request to the API server: address, trust and credentials. */
  async requestOptions(): Promise<RequestOptions> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const server = new URL(this.#config.getCurrentCluster()?.server ?? "https://kubernetes.default.svc");
    return { ...options, protocol: server.protocol, hostname: server.hostname, port: server.port };
  }

  /** Waits for an answer, and converts failures into errors for the user. */
  async #ask<T>(what: string, answer: Promise<T>): Promise<T> {
    const late = new Error(`no answer within ${String(ANSWER_MS / 1000)} s`);
    try {
      return await within(ANSWER_MS / 1000, answer, { late });
    } catch (error) {
      if (isStatus(error, 409)) throw new ConflictError(messageOf(error), { cause: error });
      const where = `cluster ${this.context}, namespace ${this.namespace}`;
      if (isStatus(error, 401) || isStatus(error, 403))
        throw new UserError(
          "permission-denied",
          where,
          `${what} is not allowed: ${messageOf(error)}`,
          "docs/deploy.md lists the rights that a rollout needs; `kubectl auth can-i --list` shows your rights",
          { cause: error },
        );
      const problem =
        error instanceof ApiException ? messageOf(error) : `the API server does not answer (${causeOf(error)})`;
      throw new UserError(
        "unavailable",
        where,
        `${what}: ${problem}`,
        `kubectl --context ${this.context} cluster-info`,
        {
          cause: error,
        },
      );
    }
  }
}

function titleOf(object: ApiObject): string {
  return `${object.kind ?? "object"} ${object.metadata?.name ?? ""}`;
}

function isStatus(error: unknown, code: number): boolean {
  return error instanceof ApiException && error.code === code;
}

/** The message of the API server. */
function messageOf(error: unknown): string {
  const body: unknown = error instanceof ApiException ? error.body : undefined;
  const status: unknown = typeof body === "string" ? parsed(body) : body;
  if (typeof status === "object" && status !== null && "message" in status) return String(status.message);
  return error instanceof Error ? error.message : String(error);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) {
    const event = error as { message?: unknown } | null;
    return typeof event?.message === "string" ? event.message : String(error);
  }
  return error.cause instanceof Error ? error.cause.message : error.message;
}
