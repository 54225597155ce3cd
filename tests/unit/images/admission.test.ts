import { describe, expect, it } from "vitest";
import { Admission } from "../../../images/reference-server/src/database/admission.ts";
import { Refusal, retryAfterHeader } from "../../../images/reference-server/src/database/unavailable.ts";

/** Time that passes only when everything has been done that is due: a simulation. */
class Timeline {
  now = 0;
  readonly #due: { readonly at: number; readonly run: () => void }[] = [];

  sleep(seconds: number): Promise<void> {
    return new Promise((run) => this.#due.push({ at: this.now + seconds, run }));
  }

  async run(until: Promise<unknown>): Promise<void> {
    const ended = { yet: false };
    void until.then(() => (ended.yet = true));
    for (;;) {
      // Lets every continuation of this moment run.
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
      if (ended.yet) return;
      this.#due.sort((a, b) => a.at - b.at);
      const next = this.#due.shift();
      if (next === undefined) throw new Error("nothing happens any more");
      this.now = next.at;
      next.run();
    }
  }
}

interface Load {
  readonly clients: number;
  readonly requests: number;
  /** Until this time, the places are held by others, as by a lock; the clients come five seconds before it. */
  readonly stalledUntil?: number;
  /** Seconds after which a refused client comes again. */
  readonly pause: (refusal: Refusal) => number;
}

/** Seconds that a request holds its place. */
const HOLD = 0.02;

/** Tries for each request of clients that all come at once and send one request after the other. */
async function tries({
  clients,
  requests,
  stalledUntil,
  pause,
}: Load): Promise<{ ratio: number; most: number; end: number }> {
  const time = new Timeline();
  const admission = new Admission(10, 1000, () => time.now);
  let [count, most] = [0, 0];
  const stall = async () => {
    if (stalledUntil === undefined) return;
    const leave = await admission.enter();
    await time.sleep(stalledUntil);
    leave();
  };
  const client = async (index: number) => {
    await time.sleep(Math.max(0, (stalledUntil ?? 0) - 5) + index / 1000);
    for (let request = 0; request < requests;) {
      count += 1;
      try {
        const leave = await admission.enter();
        most = Math.max(most, admission.waiting);
        await time.sleep(HOLD);
        leave();
        request += 1;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        await time.sleep(pause(error));
      }
    }
  };
  const work = [...Array.from({ length: 10 }, stall), ...Array.from({ length: clients }, (_, index) => client(index))];
  await time.run(Promise.all(work));
  return { ratio: count / (clients * requests), most, end: time.now };
}

/** What clients read: whole seconds. */
const obedient = (refusal: Refusal) => Number(retryAfterHeader(refusal));

describe("admission to the pool", () => {
  it("lets 200 clients wait in turn, each with one try, as long as the pool serves them within seconds", async () => {
    const result = await tries({ clients: 200, requests: 10, pause: obedient });
    expect(result.ratio).toBe(1);
    expect(result.end).toBeLessThan((200 * 10 * HOLD) / 10 + 1);
  });

  it("needs at most 1.2 tries for a request after a stall, and clients that come each second need more", async () => {
    const load = { clients: 200, requests: 10, stalledUntil: 10 };
    const promised = await tries({ ...load, pause: obedient });
    const fixed = await tries({ ...load, pause: () => 1 });
    expect(promised.ratio).toBeLessThanOrEqual(1.2);
    expect(fixed.ratio).toBeGreaterThan(1.4);
    // None of them waits for longer than the latest time that is promised.
    expect(promised.end).toBeLessThan(10 + 30 + 5);
  });

  it("promises each client its own time, at the rate at which places become free", async () => {
    let now = 0;
    const admission = new Admission(2, 0, () => now);
    await Promise.all([admission.enter(), admission.enter()]);
    now = 4;
    const refused = async () => {
      const refusal = await admission.enter().catch((error: unknown) => error);
      if (!(refusal instanceof Refusal)) throw new Error("it was let in");
      return refusal.retryAfter;
    };
    // Two places, each held for four seconds until now: one becomes free every two seconds.
    expect([await refused(), await refused(), await refused()]).toEqual([4, 6, 8]);
  });

  it("keeps no more requests than its limit", async () => {
    const admission = new Admission(1, 3, () => 0);
    const entered = Array.from({ length: 10 }, () => admission.enter().catch((error: unknown) => error));
    const outcomes = await Promise.race([Promise.all(entered), Promise.resolve("waiting")]);
    expect(outcomes).toBe("waiting");
    expect({ active: admission.active, waiting: admission.waiting }).toEqual({ active: 1, waiting: 3 });
  });

  it("releases a place once, however often it is asked to", async () => {
    const admission = new Admission(1, 10, () => 0);
    const leave = await admission.enter();
    leave();
    leave();
    expect(admission.active).toBe(0);
  });
});
