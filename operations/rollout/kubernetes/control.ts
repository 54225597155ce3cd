import type { ControlAnswer, ControlRequest, ControlStore } from "../ports/control.ts";
import type { Cluster } from "./cluster.ts";
import { ConfigMapStore } from "./config-map-store.ts";

/** Name of the ConfigMap, in the stack's namespace. */
export const CONTROL_NAME = "exai-rollout-control";

/** Seconds until a controller must answer: it polls once per second, and its answer is one more write. */
const PATIENCE_SECONDS = 3;

/** Milliseconds between two requests to the API server, however often the controller polls. */
const POLL_MS = 1000;

/** Answers are kept for this long, for a process that still waits. */
const ANSWER_KEPT_SECONDS = 60;

const REQUEST = ".request";
const ANSWER = ".answer";

/** Requests and answers as entries of one ConfigMap, so a rollout can be led from any machine. */
export class KubernetesControlStore implements ControlStore {
  readonly patienceSeconds: number;
  readonly #store: ConfigMapStore;
  #polledAt = -Infinity;

  constructor(cluster: Cluster, patienceSeconds = PATIENCE_SECONDS) {
    this.#store = new ConfigMapStore(cluster, CONTROL_NAME);
    this.patienceSeconds = patienceSeconds;
  }

  async post(request: ControlRequest): Promise<void> {
    // The leading time sorts the names in the order of the requests.
    const key = `${request.at.replaceAll(/\D/g, "")}-${request.id}${REQUEST}`;
    await this.#store.change((data) => ({ ...data, [key]: JSON.stringify(request) }));
  }

  async take(rollout: string): Promise<readonly ControlRequest[]> {
    if (performance.now() - this.#polledAt < POLL_MS) return [];
    this.#polledAt = performance.now();
    if (!Object.keys(await this.#store.read()).some(isRequest)) return [];
    let taken: ControlRequest[] = [];
    // Of two processes that read the same requests, the second one gets a conflict.
    await this.#store.change((data) => {
      taken = Object.keys(data)
        .filter(isRequest)
        .sort()
        .map((key) => JSON.parse(data[key] ?? "") as ControlRequest)
        .filter((request) => request.rollout === rollout);
      return Object.fromEntries(Object.entries(data).filter(([key]) => !isRequest(key)));
    });
    return taken;
  }

  async withdraw(id: string): Promise<boolean> {
    let found = false;
    await this.#store.change((data) => {
      const left = Object.entries(data).filter(([key]) => !key.endsWith(`${id}${REQUEST}`));
      found = left.length < Object.keys(data).length;
      return Object.fromEntries(left);
    });
    return found;
  }

  async answer(answer: ControlAnswer): Promise<void> {
    const kept: Kept = { answer, at: Date.now() };
    await this.#store.change((data) => ({
      ...Object.fromEntries(Object.entries(data).filter(([key, text]) => !isOld(key, text))),
      [`${answer.id}${ANSWER}`]: JSON.stringify(kept),
    }));
  }

  async answerTo(id: string): Promise<ControlAnswer | undefined> {
    const text = (await this.#store.read())[`${id}${ANSWER}`];
    if (text === undefined) return undefined;
    return (JSON.parse(text) as Kept).answer;
  }
}

/** An answer and when it was given, in milliseconds since 1970. */
interface Kept {
  readonly answer: ControlAnswer;
  readonly at: number;
}

function isRequest(key: string): boolean {
  return key.endsWith(REQUEST);
}

function isOld(key: string, text: string): boolean {
  return key.endsWith(ANSWER) && Date.now() - (JSON.parse(text) as Kept).at > ANSWER_KEPT_SECONDS * 1000;
}
