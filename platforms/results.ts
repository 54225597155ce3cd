import type { Slot } from "../contract/slots.ts";
import type { ImageChange } from "../operations/images/ensure.ts";
import type { ApplyPendingResult } from "../operations/schema/apply.ts";
import type { SchemaRefusal } from "../operations/schema/decide.ts";
import type { ChangeReason } from "./compose/apply.ts";
import type { Change, PolicyFinding } from "./pulumi/changes.ts";

/** A stack is up. */
export type UpResult = ComposeUp | EngineUp;

interface Up {
  readonly stack: string;
  /** Services or resources that were changed, and migrations that were applied; 0: everything was up already. */
  readonly changes: number;
  readonly seconds: number;
}

/** A local stack, whose database the command has migrated. */
interface Migrated {
  readonly migrations: ApplyPendingResult;
}

/** Docker Compose brought the stack up. */
export interface ComposeUp extends Up, Migrated {
  readonly platform: "compose";
  /** Where each service answers. */
  readonly urls: Readonly<Record<string, string>>;
  /** File with the generated passwords. */
  readonly passwords: string;
  /** Services that were left out because their image is not available. */
  readonly leftOut: readonly string[];
}

/** The Pulumi engine brought the stack up. */
export interface EngineUp extends Up, Partial<Migrated> {
  readonly platform: "pulumi";
  readonly local: boolean;
  /** The program's outputs, one level flattened, secrets masked. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Images that the slots keep, because no setting names others. */
  readonly kept: Readonly<Partial<Record<Slot, string>>>;
  /** `exai:image`, if no slot runs it: a cutover brings it. */
  readonly waitingImage?: string;
}

/** What the engine is about to change. */
export interface UpPlan {
  readonly stack: string;
  readonly changed: number;
  readonly unchanged: number;
  readonly changes: readonly Change[];
}

/** What `up` would change. */
export type PreviewResult = ComposePreview | EnginePreview;

/** What Docker Compose would change. */
export interface ComposePreview {
  readonly platform: "compose";
  readonly stack: string;
  readonly services: readonly ServicePreview[];
  /** Services that do not change. */
  readonly unchanged: number;
  readonly images: readonly ImageChange[];
  /** Absent: the database has data and does not run, so what it lacks is not known. */
  readonly migrations?: MigrationsPreview;
}

/** A service that `up` would change. */
export interface ServicePreview {
  readonly service: string;
  readonly change: "create" | "replace" | "start" | "remove";
  /** Absent if it is removed: it is not in the program. */
  readonly reason?: ChangeReason;
  /** What differs in its definition, e.g. `environment.LOG_LEVEL` or `/etc/prometheus/prometheus.yml`. */
  readonly inputs: readonly string[];
  /** It is left out if its image cannot be pulled. */
  readonly optional?: true;
}

/** The migrations of a database that are pending. */
export interface MigrationsPreview {
  readonly pending: readonly { readonly version: string; readonly name: string }[];
  /** Why `up` would leave some of them for later. */
  readonly refusal?: SchemaRefusal;
}

/** What the Pulumi engine would change. */
export interface EnginePreview extends UpPlan {
  readonly platform: "pulumi";
  readonly local: boolean;
  /** Operations by name, as the engine counts them. */
  readonly counts: Readonly<Record<string, number>>;
  readonly findings: readonly PolicyFinding[];
}

/** What `down` is about to remove. */
export interface DownPlan {
  /** The name that confirms it. */
  readonly name: string;
  /** Volumes that Compose made; absent for what the engine made. */
  readonly volumes?: readonly string[];
  /** Folder of a local stack's own state. */
  readonly home?: string;
  /** Names of what operations made in that folder: only they are removed, with the data. */
  readonly files?: readonly string[];
  /** Whether the data is removed too. */
  readonly data: boolean;
}

/** A stack is down. */
export type DownResult = ComposeDown | EngineDown;

/** The containers were removed. */
export interface ComposeDown {
  readonly platform: "compose";
  readonly stack: string;
  /** Names of the containers that were removed. */
  readonly containers: readonly string[];
  /** Names of the volumes that were removed. */
  readonly volumes: readonly string[];
  /** `kept`: in its volumes. `none`: there was none. */
  readonly data: "removed" | "kept" | "none";
}

/** The Pulumi engine deleted the stack's resources. */
export interface EngineDown {
  readonly platform: "pulumi";
  readonly local: boolean;
  readonly stack: string;
  readonly deleted: number;
  /** Operations by name, as the engine counts them. */
  readonly counts: Readonly<Record<string, number>>;
  /** `none`: nothing of it held data. */
  readonly data: "removed" | "kept" | "none";
  /** Protected resources that stay: what holds data, and the keys that open data. */
  readonly kept: readonly string[];
}

/** What runs of a local stack. */
export interface StackStatus {
  readonly stack: string;
  readonly services: readonly ServiceStatus[];
  /** Services that are missing or not healthy. */
  readonly unhealthy: readonly string[];
  /** Whether any container exists. */
  readonly up: boolean;
  /** Settings that `--set` gave the stack, secrets masked. */
  readonly overrides: Readonly<Record<string, string>>;
}

export interface ServiceStatus {
  readonly service: string;
  /** `drained`: a rollout has stopped the slot. `absent`: there is no container. Others are Docker's own. */
  readonly state: string;
  readonly image?: string;
  /** ISO 8601. */
  readonly startedAt?: string;
  /** Of a container that has ended. */
  readonly exitCode?: number;
  /** Ports on the host, `127.0.0.1:8080->8080`. */
  readonly ports: readonly string[];
}

/** A file that a stack is synthesized to. */
export interface SynthFile {
  readonly name: string;
  readonly content: string;
}
