import type { ConditionalBlock } from "../../contract/sql/conditions.ts";
import type { SourcePosition } from "../../contract/graph.ts";
import { messageOf, type Postgres, sqlState } from "./postgres.ts";

/** A condition of a DO block that decides what a migration does. */
export interface OpenCondition {
  readonly source: SourcePosition;
  readonly text: string;
  /** The answer that it had not, and may have elsewhere. */
  readonly other: boolean;
  /** Why the block cannot be run with the other answer. */
  readonly error?: string;
  /** @default to write the statements without the condition */
  readonly fix?: string;
}

/** SQLSTATE of RAISE EXCEPTION. */
const RAISED = "P0001";

/** Runs DO blocks with their conditions answered, or observes the answers of this database. */
export class ConditionalBlocks {
  readonly #postgres: Postgres;
  readonly #answer: boolean | undefined;
  /** Conditions that can have another answer on another server, and jobs whose effect is not known. */
  readonly open: OpenCondition[] = [];

  /** @param answer what conditions get for an answer; undefined to observe theirs */
  constructor(postgres: Postgres, answer: boolean | undefined) {
    this.#postgres = postgres;
    this.#answer = answer;
  }

  /**
   * Whether a block ran with its conditions answered or observed.
   *
   * @param run runs the text of the block in the open transaction, and returns PostgreSQL's error
   */
  async run(
    block: ConditionalBlock,
    source: SourcePosition,
    run: (text: string) => Promise<unknown>,
  ): Promise<boolean> {
    const answer = this.#answer;
    const { conditions, elsewhere } = block;
    if (answer === undefined && elsewhere !== undefined)
      this.open.push({ source, text: elsewhere, other: true, error: "it stands outside of a condition of an IF" });
    const asks = (index: number) => {
      const about = conditions[index]?.about;
      return about === "surroundings" || (about !== "other" && about !== undefined && answer !== false);
    };
    if (!conditions.some((_, index) => asks(index))) return false;
    // A condition that is observed keeps its answer, and leaves it in a setting.
    const text = block.with((condition, index) =>
      !asks(index)
        ? condition
        : answer === undefined
          ? `(case when (${condition}) then set_config('exai.answer_${index}', 'true', false) = 'true' else set_config('exai.answer_${index}', 'false', false) = 'true' end)`
          : String(answer),
    );
    const error = await run(text);
    if (error !== undefined) {
      const [first] = conditions.filter(({ about }) => about === "surroundings");
      // A block that raises an exception lets the migration fail, which opens nothing.
      if (answer !== undefined && first !== undefined && sqlState(error) !== RAISED)
        this.open.push({ source, text: first.text, other: answer, error: messageOf(error) });
      return false;
    }
    if (answer === undefined)
      for (const [index, { text: condition, about }] of conditions.entries()) {
        if (!asks(index)) continue;
        const natural = await this.#answerOf(index);
        if (about === "surroundings" || !natural) this.open.push({ source, text: condition, other: !natural });
      }
    return true;
  }

  async #answerOf(index: number): Promise<boolean> {
    const [row] = await this.#postgres.run(
      `select current_setting('exai.answer_${index}', true) as answer, set_config('exai.answer_${index}', '', false)`,
    );
    return row?.answer === "true";
  }
}
