import { createInterface } from "node:readline/promises";
import { UserError } from "../contract/errors.ts";

/**
 * Asks on the terminal for a name to be typed.
 *
 * @param command what goes on without the question, for where nobody can be asked
 * @throws UserError where nobody can be asked, or the answer is another
 */
export async function confirmByName(name: string, question: string, command: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new UserError("state-conflict", name, `there is no terminal to ask at: ${question}`, command);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(`${question} Type "${name}" to go on: `);
    if (answer.trim() !== name)
      throw new UserError("state-conflict", name, "stays as it is: the answer was not its name", command);
  } finally {
    prompt.close();
  }
}
