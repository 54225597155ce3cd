import { afterEach, beforeEach, expect, it } from "vitest";
import { hookDefinition } from "../../../contract/hooks.ts";
import { Hooks } from "../../../operations/hooks/runner.ts";
import { signature } from "../../../operations/notify/webhook.ts";
import { startReceiver, type Receiver } from "../../support/receiver.ts";
import { hookCall, SECRET } from "./calls.ts";

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

const LIVE = new AbortController().signal;

function runner(timeoutSeconds = 10, secret: () => Promise<string> = () => Promise.resolve(SECRET)): Hooks {
  const hook = hookDefinition.parse({ name: "acceptance", when: "before-step", url: receiver.url, timeoutSeconds });
  return new Hooks({ stack: "prod", hooks: [hook], secret, cwd: "/" });
}

it("a hook gets who, what and where, signed, with one identifier for all of its attempts", async () => {
  receiver.answer = (response, index) => {
    response.writeHead(index === 0 ? 503 : 200, { "retry-after": "0" }).end(index === 0 ? "" : "12 checks passed");
  };
  expect(await runner().run(hookCall(), LIVE)).toMatchObject({
    ...{ outcome: "passed", why: "accepted", status: 200, answer: "12 checks passed" },
  });
  await runner().run(hookCall({ attempt: 2 }), LIVE);
  const ids = receiver.received.map(({ headers }) => headers["webhook-id"]);
  expect(ids).toEqual(Array<string>(3).fill("20261123T115955Z-abc123-shift-25-acceptance"));
  const [first] = receiver.received;
  expect(first?.headers["webhook-signature"]).toBe(
    signature(SECRET, ids[0] as string, String(first?.headers["webhook-timestamp"]), first?.body ?? ""),
  );
  expect(receiver.received.map(({ body }) => (JSON.parse(body) as { data: unknown }).data)).toMatchObject([
    {
      ...{ id: ids[0], stack: "prod", rollout: "20261123T115955Z-abc123", hook: "acceptance", when: "before-step" },
      ...{ step: "shift-25", attempt: 1, weight: 5, stable: "blue", candidate: "green", image: "exai:2" },
      ...{ stableImage: "exai:1", by: "ann@host", reason: "release 2" },
    },
    { attempt: 1 },
    { attempt: 2 },
  ]);
});

it("a refusal is asked for once; its answer is cut and harmless to a terminal", async () => {
  receiver.answer = (response) => response.writeHead(409).end(`no\u001b[2J\n\u202eway${"!".repeat(10_000)}`);
  const end = await runner().run(hookCall(), LIVE);
  expect(end).toMatchObject({ outcome: "failed", why: "refused", status: 409 });
  expect(end.answer).toMatch(/^no \[2J way!+…$/);
  expect(end.answer).toHaveLength(300);
  expect(receiver.received).toHaveLength(1);
});

it("a redirect is not followed, since the receiver would choose who gets the content", async () => {
  receiver.answer = (response) => response.writeHead(307, { location: `${receiver.url}/elsewhere` }).end();
  expect(await runner().run(hookCall(), LIVE)).toMatchObject({ outcome: "failed", why: "redirected", status: 307 });
  expect(receiver.received).toHaveLength(1);
});

it("an answer without end is read to its bound", async () => {
  receiver.answer = (response) => {
    const write = (): void => {
      if (!response.destroyed) response.write("x".repeat(1000), () => setTimeout(write, 1));
    };
    write();
  };
  const end = await runner().run(hookCall(), LIVE);
  expect(end).toMatchObject({ outcome: "passed", answer: expect.stringMatching(/^x{299}…$/) as string });
});

it("a receiver that is silent, absent or never ready fails in the hook's time", async () => {
  receiver.answer = () => undefined;
  const silent = runner(1).run(hookCall(), LIVE);
  expect(await silent).toMatchObject({
    why: "timeout",
    answer: expect.stringContaining("no answer within 1 s") as string,
  });
  receiver.answer = (response) => response.writeHead(503).end("busy");
  expect(await runner(1).run(hookCall(), LIVE)).toMatchObject({ why: "timeout", status: 503, answer: "busy" });
  await receiver.close();
  expect(await runner(1).run(hookCall(), LIVE)).toMatchObject({ why: "timeout", answer: "ECONNREFUSED" });
});

it("a request ends when the rollout leaves the state, and no later one is sent", async () => {
  receiver.answer = () => undefined;
  const stop = new AbortController();
  const running = runner().run(hookCall(), stop.signal);
  await receiver.until(1);
  stop.abort(new Error("the lease was lost"));
  await expect(running).rejects.toThrow("the lease was lost");
});

it("a hook that this machine has not declared, or cannot sign for, fails and is not sent", async () => {
  expect(await runner().run(hookCall({ hook: "other" }), LIVE)).toMatchObject({ why: "not-configured" });
  const unknown = runner(10, () => Promise.reject(new Error("the engine has no exai:rolloutHookSecret")));
  expect(await unknown.run(hookCall(), LIVE)).toMatchObject({
    why: "not-configured",
    answer: "the engine has no exai:rolloutHookSecret",
  });
  expect(receiver.received).toEqual([]);
});
