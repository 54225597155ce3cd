import * as pulumi from "@pulumi/pulumi";
import { parseAllDocuments } from "yaml";
import type { Inputs, Resource, ResourceGraph } from "../contract/graph.ts";
import { fromWire } from "../contract/engine/wire.ts";
import { buildStack } from "../stacks/program.ts";
import { parseSettings, PROJECT } from "../stacks/settings.ts";
import type { ConfigSource } from "../stacks/settings/source.ts";
import { listenToRegistrations } from "./registrations.ts";

/** What a resource would report after it was made: asked for each one, by type, name and plain inputs. */
export type OutputsOf = (resource: {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}) => Record<string, unknown> | undefined;

export interface CaptureOptions {
  /** Outputs that are known without an engine, e.g. generated passwords, and `id`. All others are unknown. */
  readonly outputs?: OutputsOf;
  /** Results of calls of a provider, by token, e.g. the keys of an API. All others are empty. */
  readonly results?: Readonly<Record<string, Record<string, unknown>>>;
  /** Whether errors of the program may have no stack, which is faster. @default false */
  readonly withoutStacks?: boolean;
}

/** Pulumi's runtime is global to the process: captures take turns. */
let turn: Promise<unknown> = Promise.resolve();

/**
 * Runs the real program of a stack without an engine and returns everything it registers.
 *
 * The program runs under the SDK's own mocks in preview mode, so an output without a value is unknown and not absent.
 * The monitor is listened to, and not the mocks, because only its requests carry parents, options, secret marks and
 * source positions.
 *
 * @throws UserError or UserErrors if the settings are refused
 */
export function capture(stack: string, source: ConfigSource, options: CaptureOptions = {}): Promise<ResourceGraph> {
  return captureProgram(stack, () => buildStack(parseSettings(stack, source)), options);
}

/** {@link capture} for any program: what tests of single components use. */
export function captureProgram(
  stack: string,
  program: () => Promise<Record<string, unknown>>,
  options: CaptureOptions = {},
): Promise<ResourceGraph> {
  const result = turn.then(() => run(stack, program, options));
  turn = result.catch(() => undefined);
  return result;
}

async function run(
  stack: string,
  program: () => Promise<Record<string, unknown>>,
  options: CaptureOptions,
): Promise<ResourceGraph> {
  // Without this an Output in a template string becomes a warning text inside a resource.
  process.env.PULUMI_ERROR_OUTPUT_STRING = "true";
  const secretOutputs = new Map<string, readonly string[]>();
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        const plain = inputs as Record<string, unknown>;
        const { id, ...known } = options.outputs?.({ type, name, inputs: plain }) ?? {};
        const state: Record<string, unknown> = { ...plain, ...known };
        // The engine marks these outputs; the mocks do not. One without a value is unknown, and also secret.
        for (const key of secretOutputs.get(`${type} ${name}`) ?? [])
          state[key] = pulumi.secret(state[key] ?? pulumi.unknown);
        return { id: typeof id === "string" ? id : undefined, state };
      },
      // Manifests: the SDK registers the objects that the provider decodes from their text.
      call: ({ token, inputs }) =>
        token === "kubernetes:yaml:decode"
          ? {
              result: parseAllDocuments(String((inputs as { text: unknown }).text)).map(
                (document) => document.toJS() as unknown,
              ),
            }
          : (options.results?.[token] ?? {}),
    },
    PROJECT,
    stack,
    true,
  );

  const resources: Resource[] = [];
  listenToRegistrations({
    before: ({ type, name, options: { additionalSecretOutputs } }) => {
      secretOutputs.set(`${type} ${name}`, additionalSecretOutputs);
    },
    after: (resource) => {
      resources.push(resource);
    },
  });

  const { stackTraceLimit } = Error;
  // The SDK keeps the stack of each promise, for its report of leaks, which takes a third of the time. It sets the limit itself where it
  // needs the position of a resource.
  if (options.withoutStacks === true) Error.stackTraceLimit = 0;
  const outputs = await runProgram(program).finally(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });
  return { project: PROJECT, stack, resources: sorted(resources), outputs };
}

/** Runs the program to its end, registrations included, and returns its outputs. The first error wins. */
async function runProgram(program: () => Promise<Record<string, unknown>>): Promise<Inputs> {
  let failure: unknown;
  const remember = (error: unknown) => {
    failure ??= error;
  };
  // What fails inside a registration surfaces as a rejection that the SDK leaves to the process.
  process.on("unhandledRejection", remember);
  try {
    const outputs = await program();
    const wire = await pulumi.runtime.serializeProperties("outputs", outputs);
    await pulumi.runtime.disconnect();
    // Rejections are reported after the microtasks of the turn in which they arise.
    await new Promise((resolve) => setImmediate(resolve));
    if (failure !== undefined)
      throw failure instanceof Error ? failure : new Error("the program failed", { cause: failure });
    return fromWire(wire);
  } finally {
    process.off("unhandledRejection", remember);
  }
}

/** Registration order depends on the event loop; names do not. */
function sorted(resources: readonly Resource[]): readonly Resource[] {
  return [...resources].sort((a, b) => (a.type === b.type ? compare(a.name, b.name) : compare(a.type, b.type)));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
