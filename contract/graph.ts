/**
 * The resource graph: the registered resources of the program, as data. `synth/capture.ts` builds it without an engine; the policy
 * pack builds the same shape from the engine's analyzer requests and from a state file.
 */

/** A value that only the engine knows. `path` is its place in the resource's inputs. */
export class Unknown {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }
  toJSON(): { $unknown: string } {
    return { $unknown: this.path };
  }
}

/** A value marked secret. Printing or serializing it never shows the content. */
export class Secret {
  readonly value: Value;
  constructor(value: Value) {
    this.value = value;
  }
  toJSON(): { $secret: true } {
    return { $secret: true };
  }
  toString(): string {
    return "[secret]";
  }
}

/** An input or output of a resource. Secrets and unknowns may stand at any depth. */
export type Value =
  null | boolean | number | string | Unknown | Secret | readonly Value[] | { readonly [key: string]: Value };

/** Inputs of a resource, by property name. */
export type Inputs = Readonly<Record<string, Value>>;

/** The place in the program that created the resource; lines and columns count from 1. */
export interface SourcePosition {
  /** Path relative to the project's root. */
  readonly file: string;
  readonly line: number;
}

/** One resource as the program registered it. */
export interface Resource {
  readonly urn: string;
  /** Type token, e.g. `docker:index/container:Container`. */
  readonly type: string;
  readonly name: string;
  /** False for component resources. */
  readonly custom: boolean;
  readonly inputs: Inputs;
  /** URN of the parent; absent at the top. */
  readonly parent?: string;
  /** URNs of the resources that must exist first. */
  readonly dependencies: readonly string[];
  /** For each input, the URNs that its value comes from. */
  readonly propertyDependencies: Readonly<Record<string, readonly string[]>>;
  readonly options: {
    readonly protect: boolean;
    readonly ignoreChanges: readonly string[];
    readonly deleteBeforeReplace: boolean;
    readonly additionalSecretOutputs: readonly string[];
    /** Whether the engine keeps the object when the resource is deleted. @default false */
    readonly retainOnDelete?: boolean;
    /** URN of the resource whose deletion deletes this one, without a separate request. */
    readonly deletedWith?: string;
    /** Paths of inputs whose change replaces the resource. @default none */
    readonly replaceOnChanges?: readonly string[];
    /** Whether the engine changes the inputs by functions of the program, after they were recorded here. @default false */
    readonly transformed?: boolean;
    /** URN of the explicit provider. */
    readonly provider?: string;
  };
  readonly source?: SourcePosition;
}

/** The name of a resource, which its URN ends with. */
export function nameOfUrn(urn = ""): string {
  return urn.split("::").at(-1) ?? urn;
}

/** What one run of the program registers. */
export interface Registered {
  readonly resources: readonly Resource[];
  /** Outputs of the stack. */
  readonly outputs: Inputs;
}

/** A run of the program in which secrets have made-up values, by which they are found wherever the program takes them. */
export interface TracedRun extends Registered {
  readonly secrets: readonly TracedSecret[];
}

/** A secret with a value that is known. */
export interface TracedSecret {
  /** Where it comes from, e.g. `exai:kimiApiKey`. */
  readonly name: string;
  readonly value: string;
}

/** The name of the traced key that bypasses row-level security. */
export const TRACED_SERVICE_ROLE = "the service-role key";

/** Everything one stack registers. */
export interface ResourceGraph extends Registered {
  readonly project: string;
  readonly stack: string;
  /** The same program with made-up secrets, or why it did not run. Absent where the values of secrets are known, or none is. */
  readonly traced?: TracedRun | Error;
}
