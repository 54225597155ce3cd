import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { ExaiComponent } from "../core/component.ts";
import { transformed, type Transform } from "../core/transform.ts";

export interface GeneratedSecretsArgs {
  /** Names of the secrets to generate, e.g. `postgres`. */
  readonly names: readonly string[];
  /** Values that are kept with the data that they open, by the name of the resource. Each wins over the generated one. */
  readonly kept?: Readonly<Record<string, string>>;
  /** Names of the secrets that open data which a deletion of the stack leaves. The engine refuses to delete them. @default none */
  readonly protect?: readonly string[];
  /** Names of the secrets that open no data, so that the policies do not ask for their protection. @default none */
  readonly opensNoData?: readonly string[];
  /** Escape hatch for each password. */
  readonly transform?: { readonly password?: Transform<random.RandomPasswordArgs> };
}

/**
 * Generated secrets: 48 letters and digits each (285 bits), created once and kept in the stack's state. A secret that opens data
 * is kept as long as that data ({@link GeneratedSecretsArgs.protect}).
 */
export class GeneratedSecrets extends ExaiComponent {
  private readonly values: Readonly<Record<string, pulumi.Output<string>>>;

  constructor(name: string, args: GeneratedSecretsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("exai:secrets:GeneratedSecrets", name, { names: args.names, opensNoData: args.opensNoData ?? [] }, opts);
    this.values = Object.fromEntries(
      args.names.map((secret) => {
        const resource = `${name}-${secret}`;
        const { result } = new random.RandomPassword(
          // No punctuation: the value goes through connection strings and shell-like configuration files.
          ...transformed(
            args.transform?.password,
            resource,
            { length: 48, special: false },
            { parent: this, protect: args.protect?.includes(secret) ?? false },
          ),
        );
        const kept = args.kept?.[resource];
        return [secret, kept === undefined ? result : pulumi.secret(kept)];
      }),
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
