import type * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { ExaiComponent } from "../core/component.ts";
import { transformed, type Transform } from "../core/transform.ts";

export interface GeneratedSecretsArgs {
  /** Names of the secrets to generate, e.g. `postgres`. */
  readonly names: readonly string[];
  /** Escape hatch for each password. */
  readonly transform?: { readonly password?: Transform<random.RandomPasswordArgs> };
}

/**
 * Generated secrets: 48 letters and digits each (285 bits), created once and kept in the stack's state.
 * To replace one: `pulumi up --replace <urn>`.
 */
export class GeneratedSecrets extends ExaiComponent {
  private readonly values: Readonly<Record<string, pulumi.Output<string>>>;

  constructor(name: string, args: GeneratedSecretsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("exai:secrets:GeneratedSecrets", name, { names: args.names }, opts);
    this.values = Object.fromEntries(
      args.names.map((secret) => [
        secret,
        new random.RandomPassword(
          // No punctuation: the value goes through connection strings and shell-like configuration files.
          ...transformed(
            args.transform?.password,
            `${name}-${secret}`,
            { length: 48, special: false },
            { parent: this },
          ),
        ).result,
      ]),
    );
    this.registerOutputs({});
  }

  /** The value of a secret that was asked for. @throws Error on any other name */
  get(secret: string): pulumi.Output<string> {
    const value = this.values[secret];
    if (value === undefined) throw new Error(`${secret} is not among the generated secrets`);
    return value;
  }
}
