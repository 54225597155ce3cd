import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import { readTexts, secretsFix, slotsFix, type Texts } from "../contract/machine/texts.ts";
import type { Slot } from "../contract/slots.ts";
import { keptSlots } from "./kept-slots.ts";
import type { Settings } from "./settings.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What is recorded about a stack outside of its settings. The program must not undo it. */
export interface Records {
  /** Generated secrets that open the data of a local stack, by the name of the resource that generates them. */
  readonly secrets: Texts;
  /** Images that rollouts have deployed into slots. */
  readonly slots: Readonly<Partial<Record<Slot, string>>>;
}

/** A stack about which nothing is recorded. */
export const NO_RECORDS: Records = { secrets: {}, slots: {} };

/** Absolute path of the folder of a local stack. */
export function homeOf(settings: Settings): string {
  return resolve(ROOT, settings.homeDirectory ?? ".exai/local");
}

/** The file that keeps the generated secrets of a local stack, next to its data. */
export function secretsFile(home: string): string {
  return join(home, "secrets.json");
}

/** The generated secrets of a local stack. @throws UserError if the file is damaged or cannot be read */
export function readSecrets(home: string): Texts {
  const path = secretsFile(home);
  return readTexts(path, secretsFix(path));
}

/**
 * The records of a stack, for a program that the engine runs. Only the engine reads them: a plan is the same on every machine.
 *
 * @throws UserError if they are damaged
 */
export async function readRecords(settings: Settings): Promise<Records> {
  if (settings.environment !== "local")
    return { secrets: {}, slots: keptSlots(await lastOutputs(), slotSettings(settings)) };
  const home = homeOf(settings);
  const slots = join(home, "slots.json");
  return { secrets: readSecrets(home), slots: readTexts(slots, slotsFix(slots)) };
}

/** The image of each slot: that of its setting, else the recorded one, else that of both slots. */
export function slotImages({ blueImage, greenImage, image }: Settings, { slots }: Records) {
  return { blue: blueImage ?? slots.blue ?? image, green: greenImage ?? slots.green ?? image };
}

/** Outputs of the last `up`, from the engine's state: the same on every machine. */
async function lastOutputs(): Promise<Readonly<Record<string, unknown>>> {
  const name = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  const read = (await pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", { name })) as { outputs?: object };
  return { ...read.outputs };
}

function slotSettings({ blueImage, greenImage, image }: Settings): Texts {
  const texts = Object.entries({ blueImage, greenImage, image });
  return Object.fromEntries(texts.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}
