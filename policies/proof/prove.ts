import type { Command, Proof, ProofFailure } from "../database/facts.ts";
import { parseExpression } from "./bodies.ts";
import type { Declaration } from "./declarations.ts";
import { alternativesOf, type Alternative } from "./normal-form.ts";
import type { Clause, Relation, Schema } from "./schema.ts";
import { and, FALSE, or, ROW, showAtom, test, TRUE, type Atom, type Formula } from "./terms.ts";
import { tieOf, type Tie } from "./ties.ts";
import { Translator } from "./translate.ts";
import { Links } from "./trust.ts";

// cspell:ignore Prover

/** The parts of the policies that a command asks. */
const QUESTIONS: readonly (readonly [Command, "using" | "check"])[] = [
  ["select", "using"],
  ["insert", "check"],
  ["update", "using"],
  ["update", "check"],
  ["delete", "using"],
];

/**
 * For each table with row-level security, role of the API and command: whether every way in which the policies let a row
 * through ties the row to the caller, or is declared.
 */
export function prove(schema: Schema, declarations: readonly Declaration[]): readonly Proof[] {
  return new Prover(schema, declarations).proofs();
}

class Prover {
  readonly #schema: Schema;
  readonly #declarations: readonly Declaration[];
  readonly #translators: ReadonlyMap<string, Translator>;
  readonly #relations: ReadonlyMap<string, Relation>;
  readonly #conditions = new Map<string, readonly Alternative[] | undefined>();

  constructor(schema: Schema, declarations: readonly Declaration[]) {
    this.#schema = schema;
    this.#declarations = declarations;
    this.#translators = new Map(schema.apiRoles.map((role) => [role, new Translator(schema, role)]));
    this.#relations = new Map(schema.relations.map((relation) => [relation.name, relation]));
  }

  proofs(): readonly Proof[] {
    return this.#schema.relations
      .filter(({ rowSecurity }) => rowSecurity)
      .flatMap(({ name }) =>
        this.#schema.apiRoles.flatMap((role) =>
          QUESTIONS.flatMap(([command, clause]) => {
            const policies = this.#clauses(name, role, command).filter(
              ({ permissive, given }) => permissive && given !== true,
            );
            return policies.length === 0 ? [] : [this.#proof(name, role, command, clause, policies)];
          }),
        ),
      );
  }

  #proof(table: string, role: string, command: Command, clause: "using" | "check", policies: readonly Clause[]): Proof {
    const failures: ProofFailure[] = [];
    const written: { policy: Clause; alternative: Alternative; tie: Tie }[] = [];
    for (const policy of policies) {
      const fail = (alternative: string, why: string) =>
        failures.push({
          policy: policy.policy,
          alternative,
          why,
          ...(policy.source === undefined ? {} : { source: policy.source }),
        });
      const { result: formula, distrusted } = this.#translator(role).watch(() =>
        this.#admits(table, role, command, clause, [policy]),
      );
      const alternatives = alternativesOf(formula);
      if (alternatives === undefined) {
        fail("", "it has too many alternatives");
        continue;
      }
      if (distrusted !== undefined) {
        fail("", `it calls ${distrusted}, which can change the claims of the caller`);
        continue;
      }
      for (const alternative of alternatives) {
        const links = new Links(this.#relations, this.#schema.apiRoles, this.#conditionsOf);
        const tie = tieOf(alternative, table, this.#relations, links.trusted);
        if (tie !== undefined) written.push({ policy, alternative, tie });
        else if (!this.#declared(table, role, command, alternative))
          fail(
            shown(alternative),
            links.notes.size === 0 ? "nothing ties the row to the caller" : [...links.notes].join("; "),
          );
      }
    }
    if (clause === "check") failures.push(...this.#forgeries(table, role, command, written));
    return {
      table,
      role,
      command,
      clause,
      failures: unique(failures),
      marks: written.flatMap(({ tie }) => (tie.how === "staff" ? (tie.mark ?? []) : [])),
      ...this.#owner(table, written),
    };
  }

  /** The column with the caller's identifier, for the fix of other alternatives. */
  #owner(table: string, written: readonly { readonly tie: Tie }[]): { readonly owner?: string } {
    const references = this.#relations.get(table)?.references ?? [];
    const users = references.filter(({ target, columns }) => target === "auth.users" && columns.length === 1);
    const owner = written.flatMap(({ tie }) => (tie.how === "columns" ? tie.person : []))[0] ?? users[0]?.columns[0];
    return owner === undefined ? {} : { owner };
  }

  /** Who writes a row ties one column in all alternatives: with several ones, each could be written in another's name. */
  #forgeries(
    table: string,
    role: string,
    command: Command,
    written: readonly { readonly policy: Clause; readonly alternative: Alternative; readonly tie: Tie }[],
  ): ProofFailure[] {
    const persons = written.flatMap(({ policy, alternative, tie }) =>
      tie.how === "columns" && tie.person.length > 0 ? [{ policy, alternative, person: tie.person }] : [],
    );
    const writable = (column: string) =>
      command === "insert" ||
      this.#relations
        .get(table)
        ?.columns.find(({ name }) => name === column)
        ?.update.includes(role) === true;
    for (const first of persons) {
      // Rows of another kind, e.g. files of another bucket, are not taken for those of this one.
      const alike = persons.filter(({ alternative }) => !excludes(first.alternative, alternative));
      const isCommon = (column: string) => alike.every(({ person }) => person.includes(column));
      if (first.person.some(isCommon) || !alike.some(({ person }) => person.some(writable))) continue;
      const other = alike.find(({ person }) => !person.some((column) => first.person.includes(column))) ?? first;
      return [
        {
          policy: other.policy.policy,
          alternative: shown(other.alternative),
          why: `${first.person.join(", ")} can be another person, although another alternative ties it`,
          ...(other.policy.source === undefined ? {} : { source: other.policy.source }),
        },
      ];
    }
    return [];
  }

  #translator(role: string): Translator {
    const translator = this.#translators.get(role);
    if (translator === undefined) throw new Error(`${role} is not a role of the API`);
    return translator;
  }

  #clauses(table: string, role: string, command: Command): readonly Clause[] {
    return this.#schema.clauses.filter(
      (clause) => clause.table === table && clause.roles.includes(role) && clause.commands.includes(command),
    );
  }

  /** One of the permissive policies, and all restrictive ones. */
  #admits(
    table: string,
    role: string,
    command: Command,
    clause: "using" | "check",
    permissive: readonly Clause[],
  ): Formula {
    const formula = (policy: Clause) => this.#formula(policy, role, clause);
    const restrictive = this.#clauses(table, role, command).filter((policy) => !policy.permissive);
    return and(
      or(...permissive.map((policy) => formula(policy) ?? FALSE)),
      ...restrictive.map((policy) => formula(policy) ?? TRUE),
    );
  }

  #formula(policy: Clause, role: string, clause: "using" | "check"): Formula | undefined {
    const text = clause === "using" ? policy.using : (policy.check ?? policy.using);
    if (text === null) return undefined;
    const node = parseExpression(policy.table === "realtime.messages" ? ofTopic(text) : text);
    const translator = this.#translator(role);
    return node === undefined ? test(text) : translator.holds(node, translator.rowScope(policy.table));
  }

  /** What lets a row of a table through, for questions about links. */
  readonly #conditionsOf = (table: string, role: string, command: Command, clause: "using" | "check") => {
    const key = [table, role, command, clause].join(" ");
    if (!this.#conditions.has(key)) {
      const permissive = this.#clauses(table, role, command).filter((policy) => policy.permissive);
      const secured = this.#relations.get(table)?.rowSecurity === true;
      const { result, distrusted } = this.#translator(role).watch(() =>
        secured ? this.#admits(table, role, command, clause, permissive) : TRUE,
      );
      this.#conditions.set(key, alternativesOf(distrusted === undefined ? result : TRUE));
    }
    return this.#conditions.get(key);
  };

  /** Whether an alternative implies a declaration: it has all facts of one of its alternatives. */
  #declared(table: string, role: string, command: Command, alternative: Alternative): boolean {
    const facts = new Set(alternative.map(showAtom));
    const translator = this.#translator(role);
    return this.#declarations.some((declaration) => {
      if (declaration.table !== table || !declaration.roles.includes(role) || !declaration.commands.includes(command))
        return false;
      if (declaration.when === undefined) return true;
      const node = parseExpression(declaration.when);
      if (node === undefined) return false;
      const { result, weakened } = translator.watch(() => translator.holds(node, translator.rowScope(table)));
      const wanted = alternativesOf(result);
      return !weakened && wanted?.some((some) => some.every((atom) => facts.has(showAtom(atom)))) === true;
    });
  }
}

/** Whether no row can satisfy both alternatives: a column equals another constant in each. */
function excludes(one: Alternative, other: Alternative): boolean {
  const constants = new Map(one.flatMap((each) => constantOf(each) ?? []));
  return other.some((each) => {
    const [[column, value] = []] = constantOf(each) ?? [];
    const known = column === undefined ? undefined : constants.get(column);
    return known !== undefined && known !== value;
  });
}

/** A column of the row that is judged and the constant that it equals. */
function constantOf(fact: Atom): [readonly [string, string]] | undefined {
  if (fact.kind !== "equal") return undefined;
  const [column, constant] = fact.a.kind === "column" ? [fact.a, fact.b] : [fact.b, fact.a];
  return column.kind === "column" && column.of === ROW && constant.kind === "constant"
    ? [[column.name, constant.value]]
    : undefined;
}

/** Realtime sets the topic of the channel that the caller joins, and delivers the messages of that topic alone. */
function ofTopic(text: string): string {
  return text.replaceAll("realtime.topic()", "messages.topic");
}

/** An alternative as a condition. */
function shown(alternative: Alternative): string {
  // A value that is not understood has a number, which says nothing here.
  const texts = [...new Set(alternative.map((each) => showAtom(each).replaceAll(/#\d+/g, "")))];
  return texts.length === 0 ? "true" : texts.join(" and ");
}

function unique(failures: readonly ProofFailure[]): readonly ProofFailure[] {
  return [
    ...new Map(failures.map((failure) => [JSON.stringify([failure.policy, failure.alternative]), failure])).values(),
  ];
}
