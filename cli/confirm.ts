import { createInterface } from "node:readline/promises";
import { UserError } from "../contract/errors.ts";
import type { Fix } from "../contract/fix.ts";
import { escapeText } from "./render/escape.ts";

/**
 * Asks the user to type a name.
 *
 * @param command what goes on without the question
 * @throws UserError `not-confirmed` if there is no terminal, or the answer is another
 */
export async function confirmByName(name: string, question: string, command: Fix | string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new UserError("not-confirmed", name, `a terminal is required to confirm: ${question}`, command);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(`${escapeText(question)} Type "${name}" to continue: `);
    if (answer.trim() !== name)
      throw new UserError("not-confirmed", name, "not confirmed: the name did not match", command);
  } finally {
    prompt.close();
  }
}
