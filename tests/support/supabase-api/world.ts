import { createHash, randomBytes, randomUUID } from "node:crypto";

/** An edge function as it was deployed. */
export interface DeployedFunction {
  readonly id: string;
  readonly slug: string;
  name: string;
  version: number;
  /** SHA-256 of the uploaded form. */
  checksum: string;
  readonly createdAt: number;
  updatedAt: number;
}

/** A project, or the project behind a branch. */
export interface ProjectState {
  readonly ref: string;
  name: string;
  readonly organization: string;
  readonly region: string;
  readonly createdAt: string;
  password: string;
  instanceSize: string | undefined;
  legacyKeys: boolean;
  /** As set in the dashboard. */
  poolSize: number | undefined;
  pointInTimeRecovery: boolean;
  /** Whether the plan of its organization has branches. */
  branching: boolean;
  /** Seconds since 1970 of the first and last moment that can be restored. */
  physicalBackups: { earliest: number; latest: number } | undefined;
  /** Moments that it was restored to, seconds since 1970. */
  readonly restoredTo: number[];
  /** States that the project reports next, one after the other, before it is healthy again. */
  readonly states: string[];
  /** How many more times the project is reported as coming up. */
  comingUp: number;
  readonly api: Record<string, unknown>;
  readonly database: Record<string, unknown>;
  readonly auth: Record<string, unknown>;
  readonly storage: Record<string, unknown>;
  readonly network: { dbAllowedCidrs: string[]; dbAllowedCidrsV6: string[] };
  readonly functions: Map<string, DeployedFunction>;
  /** SHA-256 of each secret, by name: the API returns nothing else. */
  readonly secrets: Map<string, string>;
}

export interface BranchState {
  readonly id: string;
  readonly parent: string;
  name: string;
  gitBranch: string | undefined;
  readonly isDefault: boolean;
  readonly project: ProjectState;
  persistent: boolean;
  readonly withData: boolean;
  status: string;
  /** What its setup has logged. */
  log: string;
}

/** The real databases behind branches. */
export interface BranchDatabases {
  /** Makes that of a new branch. @returns why a migration of its parent failed */
  create(branch: BranchState): Promise<string | undefined>;
  remove(branch: BranchState): Promise<void>;
}

/** Everything that exists in the account. */
export class World {
  readonly projects = new Map<string, ProjectState>();
  readonly branches = new Map<string, BranchState>();
  readonly #database: { readonly password: string } | undefined;

  /** @param database the one behind every project; undefined for none */
  constructor(database?: { readonly password: string }) {
    this.#database = database;
  }

  /** Makes a project that reports `comingUp` times that it is not ready yet. */
  addProject(
    given: {
      name: string;
      organization: string;
      region: string;
      password?: string;
      instanceSize?: string;
      ref?: string;
    },
    comingUp = 0,
  ): ProjectState {
    const project: ProjectState = {
      ref: given.ref ?? letters(20),
      name: given.name,
      organization: given.organization,
      region: given.region,
      createdAt: new Date().toISOString(),
      password: given.password ?? this.#database?.password ?? letters(32),
      instanceSize: given.instanceSize,
      legacyKeys: true,
      poolSize: undefined,
      pointInTimeRecovery: false,
      branching: true,
      physicalBackups: undefined,
      restoredTo: [],
      states: [],
      comingUp,
      api: {
        db_schema: "public,graphql_public",
        db_extra_search_path: "public,extensions",
        max_rows: 1000,
        db_pool: null,
      },
      database: {},
      auth: { ...AUTH_DEFAULTS },
      storage: { ...STORAGE_DEFAULTS },
      network: { dbAllowedCidrs: ["0.0.0.0/0"], dbAllowedCidrsV6: ["::/0"] },
      functions: new Map(),
      secrets: new Map(),
    };
    this.projects.set(project.ref, project);
    return project;
  }

  branchesOf(parent: string): BranchState[] {
    return [...this.branches.values()].filter((branch) => branch.parent === parent);
  }

  /** Creates a branch, with its own project unless it is the parent's default. */
  addBranch(
    parent: ProjectState,
    name: string,
    gitBranch: string | undefined,
    region: string | undefined,
    options: { readonly persistent?: boolean; readonly withData?: boolean; readonly isDefault?: boolean } = {},
  ): BranchState {
    const { persistent = false, withData = false } = options;
    const isDefault = options.isDefault ?? (this.branchesOf(parent.ref).length === 0 && gitBranch === undefined);
    const project = isDefault
      ? parent
      : this.addProject({ name, organization: parent.organization, region: region ?? parent.region });
    const branch: BranchState = {
      id: randomUUID(),
      parent: parent.ref,
      name,
      gitBranch,
      isDefault,
      project,
      persistent,
      withData,
      status: "FUNCTIONS_DEPLOYED",
      log: "",
    };
    this.branches.set(branch.id, branch);
    return branch;
  }

  removeProject(ref: string): void {
    for (const branch of this.branchesOf(ref)) this.removeBranch(branch);
    this.projects.delete(ref);
  }

  removeBranch(branch: BranchState): void {
    this.branches.delete(branch.id);
    if (!branch.isDefault) this.projects.delete(branch.project.ref);
  }
}

/** A key of the API that is the same for the same project each time. */
export function keyOf(project: ProjectState, kind: string): string {
  return `${kind}.${sha256(`${project.ref}:${kind}`).slice(0, 40)}`;
}

export function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

function letters(count: number): string {
  return [...randomBytes(count)].map((byte) => String.fromCharCode(97 + (byte % 26))).join("");
}

/** Fields that the API always answers with; all others are null until they are set. */
const AUTH_DEFAULTS = {
  custom_oauth_enabled: false,
  custom_oauth_max_providers: 0,
  mailer_otp_exp: 3600,
  mfa_phone_otp_length: 6,
  oauth_server_allow_dynamic_registration: false,
  oauth_server_enabled: false,
  passkey_enabled: false,
  sms_otp_length: 6,
  site_url: "http://localhost:3000",
};

const STORAGE_DEFAULTS = {
  fileSizeLimit: 52_428_800,
  databasePoolMode: "transaction",
  migrationVersion: "current",
  capabilities: { iceberg_catalog: false, list_v2: true },
  external: { upstreamTarget: "main" },
  features: { imageTransformation: { enabled: false }, s3Protocol: { enabled: true } },
};
