import type { Results, Views } from "../../../cli/results.ts";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { BRANCH_SAMPLES } from "./branch-samples.ts";
import type { HookRun } from "../../../contract/hooks.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import type { ApiKey } from "../../../operations/api-keys/keys.ts";
import type { DumpRestored } from "../../../operations/dumps/scratch.ts";
import type { RestoredInPlace } from "../../../operations/restore/in-place.ts";
import type { RolloutSummary } from "../../../operations/rollout/commands/history.ts";
import { DEFAULT_GATES } from "../../../operations/rollout/gates/settings.ts";
import type { RolloutPlan } from "../../../operations/rollout/model/plan.ts";
import type { Rotation } from "../../../operations/secrets/rotation.ts";

/** The time of all samples. */
export const AT = "2026-11-29T09:00:00.000Z";
const LONG_IMAGE = "registry.example.com/exai/reference-server@sha256:0123456789abcdef0123456789abcdef";
const ID = "20261129T090000-0ca976";

const PLAN: RolloutPlan = {
  ...{ id: ID, stable: "blue", candidate: "green", image: LONG_IMAGE, stableImage: "exai/reference-server:1.0.0" },
  ...{ steps: [5, 25, 50, 100], holdSeconds: 30, bakeSeconds: 120, standbySeconds: 3600, drainSeconds: 60 },
  ...{ approval: false, reason: "release 1.1.0 with the new search, after the review of the support team" },
  ...{ by: "ann@workstation.example.com", startedAt: AT },
};

const API_KEY: ApiKey = {
  ...{ id: "00000000-0000-4000-8000-0000000000c1", prefix: "exai_aB3dE6gH", name: "nightly import of the reports" },
  ...{ user: "00000000-0000-4000-8000-000000000001", scopes: ["files"], state: "valid" },
  ...{ createdAt: AT, expiresAt: "2027-11-29T09:00:00.000Z" },
};
const USED_API_KEY: ApiKey = { ...API_KEY, state: "revoked", lastUsedAt: AT, revokedAt: AT };

const trials = { candidate: { trials: 400, bad: 4 }, stable: { trials: 400, bad: 1 }, needed: 200 };
const VERDICTS: readonly Verdict[] = [
  {
    gate: "errors",
    verdict: "pass",
    why: "within-limit",
    figure: 0.001,
    limit: 0.01,
    unit: "share",
    sample: trials,
    test: "binomial-e-process",
    p: 0.004,
    alpha: 0.05,
  },
  { gate: "p95", verdict: "no-data", why: "few-samples", test: "binomial-e-process" },
  {
    gate: "errors-compared",
    verdict: "fail",
    why: "worse-than-stable",
    figure: 4.2,
    limit: 1.5,
    unit: "ratio",
    sample: trials,
    test: "stratified-binomial-e-process",
    p: 0.0001,
    alpha: 0.01,
  },
];

const HOOK_RUN: HookRun = {
  ...{ hook: "acceptance", when: "after-step", step: "shift-5", attempt: 2, startedAt: AT },
  end: { outcome: "failed", why: "refused", seconds: 4.2, status: 409, answer: "2 of 12 checks failed" },
};

const STATUS: Results["rollout status"] = {
  ...{ at: AT, state: "shift", label: "shift 25 %", secondsInState: 12.4, active: "blue" },
  weights: { blue: 75, green: 25 },
  slots: [
    {
      ...{ slot: "blue", weight: 75, ready: true, open: { requests: 3, streams: 2, webSockets: 140 } },
      metrics: { requestRate: 31.4, errorRatio: 0.001, p95Milliseconds: 84, mcpSessions: 20 },
      ...{ running: true, restarts: 0, image: "exai/reference-server:1.0.0" },
    },
    { slot: "green", weight: 25, ready: true, running: true, restarts: 1, image: LONG_IMAGE },
  ],
  rollout: PLAN,
  hooks: [HOOK_RUN, { hook: "audit", when: "before-step", step: "shift-25", attempt: 1, startedAt: AT }],
  leader: "process",
  holder: { who: PLAN.by, pid: 4711, verb: "cutover" },
  ...{ router: "in-force", prometheus: "available" },
  table: { generation: 7, token: 3, weights: { blue: 75, green: 25 }, evicted: [], emptied: [] },
  transition: { at: AT, who: PLAN.by, reason: PLAN.reason, verdicts: VERDICTS },
};

const COMPLETED: Results["cutover"] = {
  ...{ outcome: "completed", rollout: ID, stable: "blue", candidate: "green", image: LONG_IMAGE, active: "green" },
  ...{ weights: { blue: 0, green: 100 }, seconds: 312, standbyUntil: "2026-11-29T10:00:00.000Z" },
};

const ROLLED_BACK: Results["cutover"] = {
  ...{ outcome: "rolled-back", requested: false, drainSeconds: 60, rollout: ID, stable: "blue", candidate: "green" },
  ...{ image: LONG_IMAGE, active: "blue", weights: { blue: 100, green: 0 }, seconds: 42, automatic: true, reason: "" },
  failure: { code: "gate-failed", verdicts: VERDICTS.slice(2) },
  ...{ from: "shift", evicted: ["green"] },
};

const SUMMARY: RolloutSummary = {
  ...{ rollout: ID, startedAt: AT, who: PLAN.by, reason: PLAN.reason, candidate: "green", image: LONG_IMAGE },
  ...{ outcome: "rolled-back", state: "idle", seconds: 42 },
  rollback: { from: "shift 25 %", reason: "", failure: { code: "gate-failed", verdicts: VERDICTS.slice(2) } },
};

const ROTATION: Rotation = {
  ...{
    schema: 1,
    id: "r1",
    startedAt: AT,
    by: PLAN.by,
    reason: "yearly",
    target: "next",
    phase: "age",
    signing: "next",
  },
  ...{ nextSigned: true, kids: { current: "k1", next: "k2" }, lifetimeSeconds: 3600 },
  ...{
    wanted: { blue: "next+current", green: "next+current" },
    running: { blue: "next+current", green: "next+current" },
    signingSince: AT,
  },
};

const REPORT: Results["plan"] = {
  version: 1,
  decision: "violations",
  stacks: [
    {
      ...{ stack: "prod", environment: "prod", decision: "violations", resources: 60, waived: [], deferred: [] },
      declarations: [],
      workloads: [
        {
          component: "server",
          kind: "Deployment",
          name: "server-blue",
          images: [LONG_IMAGE],
          ports: ["8080"],
          scale: "3",
        },
      ],
      findings: [
        {
          ...{
            policy: "pods-limits",
            level: "mandatory",
            subject: "server-blue",
            path: "spec.template",
            fix: "set limits",
          },
          message: "has no memory limit, so one pod may take the memory of the whole node",
        },
      ],
      rules: [
        {
          policy: "pods-limits",
          title: "Limits",
          level: "mandatory",
          evaluated: 4,
          skipped: 0,
          findings: 1,
          deferred: 0,
        },
      ],
      counts: {
        ...{ rules: 1, evaluated: 4, mandatory: 1, advisory: 0, waived: 0, deferred: 0 },
        ...{ notApplicable: 0, inconclusive: 0 },
      },
    },
  ],
};

const BACKUP: Results["backup list"]["backups"][number] = {
  ...{ id: "b1", schedule: null, kind: "full", trigger: "manual", status: "completed", label: "20261129-020000F" },
  ...{ requestedAt: new Date(AT), startedAt: new Date(AT), finishedAt: new Date(AT), sizeBytes: 1e9, storedBytes: 2e8 },
  ...{ error: null, expiredAt: null, verification: "passed" },
};

const IN_PLACE: RestoredInPlace = {
  ...{ outcome: "restored-in-place", backup: "20261129-131415F", before: null, after: null },
  ...{ fetchSeconds: 4.1, replaySeconds: 1.2, proofSeconds: 6.3, downSeconds: 14.2 },
  ...{ safety: "20261129-131415F_20261129-141415I", firstBackup: "20261129-151415F", kept: null },
  checks: [{ name: "amcheck", status: "passed", detail: "tables and indexes" }],
};

const DUMP: DumpRestored = {
  ...{ outcome: "restored-dump", stack: "staging", name: "files", namespace: "exai-staging" },
  ...{ container: "restored-files", backup: "1a2b3c4d", at: new Date(AT), tables: [] },
  ...{ fetchSeconds: 2.1, loadSeconds: 8.3, proofSeconds: 4 },
  checks: [{ name: "amcheck", status: "passed", detail: "tables and indexes" }],
};

const SCRATCH: Results["restore drop"] = {
  ...{ name: "20261129t131415", container: "exai-restored-20261129t131415", running: true, createdAt: new Date(AT) },
};

const service = (name: string, state: string) => ({
  ...{ service: name, state, image: LONG_IMAGE, startedAt: "2026-11-29T08:00:00.000Z" },
  ports: ["127.0.0.1:8080->8080", "127.0.0.1:8079->8079"],
});

const blocker = new UserError("state-conflict", "rollout lease", "is held by ann", fix`${command("rollout status")}`);

const LOCK = {
  ...{ table: "public.users", mode: "AccessExclusiveLock", heldMs: 812.4 },
  blocks: "reads and writes" as const,
};

const DRIFT = {
  ...{ kind: "column", object: "column public.users.title", change: "changed" as const },
  attributes: [{ name: "type", from: "text", to: "varchar" }],
};

/** Results of every verb, with long names and with parts that are missing. */
export const SAMPLES: { readonly [Verb in keyof Results]: readonly [Results[Verb], ...Results[Verb][]] } = {
  up: [
    {
      ...{ platform: "compose", stack: "local", changes: 12, seconds: 42.3, passwords: "/x/.exai/local/secrets.json" },
      ...{ urls: { server: "http://127.0.0.1:8080" }, leftOut: ["grafana"], migrations: { applied: [], notes: [] } },
    },
    {
      ...{ platform: "pulumi", stack: "prod", local: false, changes: 0, seconds: 8, outputs: { url: "https://x" } },
      ...{ kept: { blue: LONG_IMAGE }, waitingImage: LONG_IMAGE },
    },
  ],
  preview: [
    {
      ...{ platform: "compose", stack: "local", unchanged: 4, images: [{ image: LONG_IMAGE, action: "pull" }] },
      services: [
        { service: "grafana", change: "create", reason: "new", inputs: [], optional: true },
        {
          ...{ service: "server-blue", change: "replace", reason: "definition" },
          inputs: ["environment.LOG_LEVEL", "/etc/prometheus/rules/recording-rules-of-every-slot.yml", "mem_limit"],
        },
        { service: "old", change: "remove", inputs: [] },
      ],
      migrations: {
        pending: [{ version: "20261129131415", name: "contract_names" }],
        refusal: {
          reason: "migration-edited",
          migrations: [{ version: "20261129131415", name: "names", kind: "contract" }],
        },
      },
    },
    { platform: "compose", stack: "local", unchanged: 8, images: [], services: [] },
    {
      ...{
        platform: "pulumi",
        local: false,
        stack: "prod",
        changed: 1,
        unchanged: 59,
        counts: { update: 1, same: 59 },
        findings: [],
      },
      changes: [{ verb: "update", urn: "urn:pulumi:x", name: "server-blue", kind: "Deployment", keys: ["spec"] }],
    },
  ],
  down: [
    { platform: "compose", stack: "local", containers: ["exai-router"], volumes: [], data: "kept" },
    { platform: "pulumi", local: false, stack: "prod", deleted: 60, counts: { delete: 60 }, data: "removed", kept: [] },
    {
      ...{ platform: "pulumi", local: true, stack: "local", deleted: 48, counts: { delete: 48 }, data: "kept" },
      kept: ["generated-backups", "generated-postgres", "postgres-backups", "postgres-data"],
    },
  ],
  status: [
    {
      stack: "local",
      up: true,
      unhealthy: ["router"],
      services: [service("router", "unhealthy"), service("server-green", "drained")],
      overrides: { httpPort: "8090" },
    },
    {
      ...{ stack: "local", up: false, unhealthy: ["router"], overrides: {} },
      services: [{ service: "router", state: "absent", ports: [] }],
    },
  ],
  env: [
    {
      ...{ stack: "prod", example: false },
      variables: [
        {
          name: "KIMI_API_KEY",
          key: "kimiApiKey",
          about: "key",
          secret: true,
          set: true,
          generated: false,
          value: undefined,
        },
        {
          name: "LOG_LEVEL",
          key: "logLevel",
          about: "level",
          secret: false,
          set: true,
          generated: false,
          value: "info",
        },
      ],
    },
  ],
  synth: [{ stack: "local", files: [{ name: "compose.yaml", path: "/x/compose.yaml" }] }],
  cutover: [
    COMPLETED,
    ROLLED_BACK,
    { ...ROLLED_BACK, failure: { code: "hook-failed", run: HOOK_RUN }, from: "hooks" },
    { outcome: "interrupted", state: "shift 25 %", weights: { blue: 75, green: 25 } },
    {
      ...{ outcome: "interrupted", state: "deploy", weights: { blue: 100, green: 0 } },
      slot: { slot: "green", wanted: LONG_IMAGE, present: { running: false }, continues: true },
    },
  ],
  rollback: [{ ...ROLLED_BACK, requested: true, automatic: false, reason: "orders fail", evicted: [] }],
  "rollout plan": [
    {
      ...{ stable: "blue", candidate: "green", image: LONG_IMAGE, slots: STATUS.slots, gates: DEFAULT_GATES },
      ...{ steps: [5, 100], holdSeconds: 30, bakeSeconds: 120, standbySeconds: 3600, drainSeconds: 60, approval: true },
      ...{ leastSeconds: 180, lastSeconds: 312, notes: [] },
      stages: [
        { name: "prepare", weight: 0, seconds: 0, leaseHeld: false },
        { name: "drain", weight: 0, seconds: 0, drainSeconds: 60, open: { requests: 0, streams: 2, webSockets: 140 } },
        { name: "deploy", weight: 0, seconds: 0, source: "the registry", present: "exai/reference-server:1.0.0" },
        { name: "ready", weight: 0, seconds: 3, withinSeconds: 120 },
        { name: "smoke", weight: 0, seconds: 0 },
        { name: "migrate", weight: 0, seconds: 0, schema: { known: true, expand: [], later: [] } },
        { name: "shift", weight: 5, seconds: 30, withinSeconds: 150 },
        {
          ...{ name: "hooks", weight: 5, seconds: 0 },
          hooks: [
            { name: "acceptance", when: "after-step", timeoutSeconds: 30, onFailure: "rollback" },
            { name: "audit", when: "after-step", timeoutSeconds: 5, onFailure: "note" },
          ],
        },
        { name: "approve", weight: 5, seconds: 0 },
        { name: "bake", weight: 100, seconds: 120 },
        { name: "standby", weight: 100, seconds: 0, standbySeconds: 3600 },
      ],
      blockers: [
        {
          ...{ code: blocker.code, where: blocker.where, problem: blocker.message },
          ...{ fix: blocker.fix, exitCode: blocker.exitCode },
        },
      ],
    },
  ],
  "rollout status": [STATUS, { ...STATUS, router: "unavailable", prometheus: "unavailable", leader: "none" }],
  "rollout status --watch": [{ ...SUMMARY, weights: { blue: 100, green: 0 } }, { outcome: "interrupted" }],
  log: [
    {
      ...{ stack: "prod", total: 400, damaged: 1 },
      entries: [
        {
          ...{ id: "1", at: AT, verb: "cutover", who: PLAN.by, subject: LONG_IMAGE, reason: "the orders of November" },
          outcome: { exitCode: 1, seconds: 4000 },
        },
        { id: "2", at: AT, verb: "down", who: PLAN.by, outcome: { exitCode: 3, error: "not-confirmed", seconds: 0.2 } },
        { id: "3", at: AT, verb: "up", who: "ann@laptop", outcome: { exitCode: 0, seconds: 12 } },
        { id: "4", at: AT, verb: "backup now", who: "ann@laptop", subject: "full" },
      ],
    },
    { stack: "local", entries: [], total: 0, damaged: 0 },
  ],
  releases: [
    {
      releases: [
        { image: LONG_IMAGE, state: "serving", rollout: ID, at: AT, who: PLAN.by },
        { image: "exai:2", state: "warm", rollout: ID, at: AT, who: PLAN.by, rolledBack: true },
        { image: "exai:1", state: "earlier" },
      ],
    },
    { releases: [{ image: "exai:1", state: "serving" }] },
  ],
  "rollout history": [
    { rollouts: [SUMMARY], total: 12 },
    {
      ...SUMMARY,
      entries: [
        {
          ...{ sequence: 2, at: AT, who: PLAN.by, rollout: ID, from: "hooks", to: "hooks", hook: HOOK_RUN },
          ...{ label: "hooks after shift 5 %", reason: "", images: {}, weights: { blue: 95, green: 5 }, verdicts: [] },
        },
        {
          ...{ sequence: 3, at: AT, who: PLAN.by, rollout: ID, from: "shift", to: "rollback", label: "rollback" },
          ...{ reason: "", images: { green: LONG_IMAGE }, weights: { blue: 100, green: 0 }, verdicts: VERDICTS },
        },
      ],
    },
  ],
  "rollout pause": [{ ...COMPLETED }],
  "rollout resume": [
    { outcome: "nothing-to-resume", state: "idle", active: "blue", repaired: true },
    { outcome: "already-ended", ended: SUMMARY },
  ],
  "rollout promote": [COMPLETED],
  "rollout abort": [{ outcome: "nothing-to-abort", active: "blue" }],
  "rollout tester-link": [
    {
      ...{ slot: "green", expiresAt: "2026-11-29T10:00:00.000Z", token: "eyJhbGciOiJFZERTQSJ9.e30.c2ln" },
      url: "http://127.0.0.1:8080/.exai/tester#eyJhbGciOiJFZERTQSJ9.e30.c2ln",
      header: "x-exai-access: eyJhbGciOiJFZERTQSJ9.e30.c2ln",
    },
  ],
  "rollout finish": [
    {
      ...{ outcome: "finished", stopped: true, emptied: ["blue"], rollout: ID, stable: "blue", candidate: "green" },
      ...{ image: LONG_IMAGE, active: "green", weights: { blue: 0, green: 100 }, seconds: 312 },
    },
  ],
  "secrets rotate": [{ outcome: "waiting", rotation: ROTATION, until: "2026-11-29T10:00:00.000Z" }],
  "secrets status": [{ state: "none" }, { state: "ended", rotation: ROTATION }],
  plan: [REPORT, { ...REPORT, report: { format: "sarif", path: "/x/report.sarif" } }],
  audit: [REPORT],
  "api-key create": [
    { key: `exai_${"aB3dE6gH".repeat(5)}aB3`, apiKey: API_KEY },
    { key: `exai_${"aB3dE6gH".repeat(5)}aB3`, apiKey: { ...API_KEY, scopes: ["chat", "files"] }, stack: "prod" },
  ],
  "api-key list": [{ apiKeys: [API_KEY, USED_API_KEY] }, { apiKeys: [], stack: "prod" }],
  "api-key revoke": [
    { apiKey: USED_API_KEY, unchanged: false },
    { apiKey: USED_API_KEY, unchanged: true, stack: "prod" },
    { apiKey: { ...API_KEY, state: "expired" }, unchanged: true },
  ],
  "migrate plan": [
    {
      migrations: [
        { version: "20261101000000", name: "users", file: true, applied: false, edited: false, kind: "expand" },
      ],
      notes: [],
    },
  ],
  "migrate apply": [{ applied: [{ version: "20261101000000", name: "users", kind: "expand" }], notes: [] }],
  "migrate test": [
    {
      ...{ passed: 3, failed: 1 },
      files: [
        { file: "users.sql", planned: 4, passed: 3, failures: [{ title: "has a key", diagnostics: ["have: no"] }] },
      ],
    },
  ],
  "migrate verify": [
    { findings: [], applied: 10, pending: 1, drift: [], oracles: [{ oracle: "facts", objects: 700, differences: [] }] },
    {
      findings: [
        { reason: "edited", version: "20261101000000", name: "users" },
        { reason: "never-ran", version: "20261102000000", name: "tables", objects: ["table public.one"] },
        { reason: "replay-failed", version: "20261103000000", name: "more", statement: 2, message: "no such table" },
        { reason: "drift", objects: 1 },
      ],
      ...{ applied: 3, pending: 0, drift: [DRIFT] },
      oracles: [{ oracle: "dump", objects: 340, differences: [{ object: "table public.one", change: "removed" }] }],
    },
  ],
  "migrate lint": [
    { migrations: [], bytes: 0, limitMs: 500 },
    {
      migrations: [
        {
          ...{ version: "20261101000000", name: "users" },
          statements: [
            {
              ...{ line: 3, sql: "alter table users alter id type bigint", ms: 12.3 },
              locks: [LOCK],
              rewrites: [{ table: "public.users", bytes: 8192 }],
            },
          ],
          findings: [
            { reason: "held-long", line: 3, ...LOCK },
            { reason: "rewrite", line: 3, table: "public.users", bytes: 8192 },
            { reason: "refused", line: 4, message: "column contains null values" },
            { reason: "breaks-releases", line: 3, what: "retypes column id of public.users" },
          ],
        },
      ],
      ...{ bytes: 8_000_000, limitMs: 500 },
    },
  ],
  "migrate reconcile": [
    { outcome: "agreed", drift: [], repairs: [], destructive: [] },
    {
      ...{ outcome: "planned", drift: [DRIFT], destructive: [] },
      repairs: [{ version: "20261101000000", name: "users", action: "record-file" }],
      migration: { version: "20261130000000", name: "reconcile", sql: "create table if not exists one ();\n" },
    },
    { outcome: "destructive", drift: [DRIFT], repairs: [], destructive: ["column public.users.title"] },
    {
      ...{ outcome: "reconciled", drift: [DRIFT], repairs: [], destructive: [] },
      migration: { version: "20261130000000", name: "reconcile", sql: "" },
      dump: { path: "exai-local.dump", bytes: 12 },
      proof: [{ oracle: "catalogue", objects: 500, differences: [] }],
    },
  ],
  "backup now": [
    { outcome: "completed", backup: BACKUP, seconds: 12 },
    {
      ...{ outcome: "failed", seconds: 12, stack: "prod" },
      backup: { ...BACKUP, status: "failed", label: null, error: "the database cannot be reached" },
    },
  ],
  "backup list": [
    { backups: [BACKUP, { ...BACKUP, status: "failed", error: "the disk is full" }] },
    { backups: [] },
    { backups: [{ ...BACKUP, stored: false }], unreachable: "connection refused", stack: "staging" },
  ],
  ...BRANCH_SAMPLES,
  "backup verify": [
    {
      ...{ outcome: "sound", findings: [], sample: { label: "20261129-020000F", seconds: 4 }, recorded: true },
      seconds: 6,
    },
    {
      ...{ outcome: "damaged", recorded: false, seconds: 6 },
      findings: [{ code: "file-missing", subject: "20261129-020000F", detail: "834 files are missing" }],
    },
    {
      ...{ outcome: "damaged", recorded: true, seconds: 6, stack: "prod" },
      findings: [{ code: "wrong-key", subject: "repository", detail: "wrong password or no key found" }],
    },
  ],
  drill: [
    {
      ...{ outcome: "passed", error: null, fetchSeconds: 9.1, replaySeconds: 7.2, proofSeconds: 3.6 },
      ...{ acknowledgedRows: 30, restoredRows: 23, rpoSeconds: 9.9 },
      checks: [{ name: "amcheck", status: "passed", detail: "tables and indexes" }],
    },
    {
      ...{ outcome: "failed", error: "the archive does not take the segment", checks: [], fetchSeconds: null },
      ...{ replaySeconds: null, proofSeconds: null, acknowledgedRows: null, restoredRows: null, rpoSeconds: null },
    },
    {
      ...{ outcome: "passed", error: null, fetchSeconds: 2.1, replaySeconds: 8.3, proofSeconds: 4, recorded: false },
      ...{ acknowledgedRows: null, restoredRows: null, rpoSeconds: 1810, stack: "staging" },
      checks: [{ name: "load", status: "passed", detail: "812 objects" }],
    },
  ],
  restore: [
    IN_PLACE,
    DUMP,
    {
      ...{ ...DUMP, tables: [{ table: "public.files", as: "public.files_restored_20261129t131415", rows: 12 }] },
      checks: [{ name: "row-counts", status: "failed", detail: "public.files has 11 rows instead of 12" }],
    },
    {
      ...{ outcome: "restored-hosted", stack: "prod", project: "abcdefghijklmnopqrst", at: new Date(AT), seconds: 310 },
    },
    {
      ...{ outcome: "restored", name: "20261129t131415", container: "exai-restored-20261129t131415" },
      ...{ state: "read-only", backup: "20261129-020000F", tables: [], fetchSeconds: 12, replaySeconds: 3.2 },
      ...{ before: { lsn: "0/5016180", at: new Date(AT), transaction: 774 }, after: null, locked: ["public.files"] },
    },
    {
      ...{ outcome: "restored", name: "files", container: "exai-restored-files", state: "writable", before: null },
      locked: [],
      ...{ backup: "20261129-020000F", fetchSeconds: 12, replaySeconds: 3.2 },
      after: { lsn: "0/5016180", at: new Date(AT), transaction: 774 },
      statement: { kind: "delete", tables: ["public.files"], rows: 12, lsn: "0/5016180", at: new Date(AT) },
      tables: [{ table: "public.files", as: "public.files_restored_20261129t131415", rows: 1200 }],
    },
    {
      outcome: "ambiguous",
      statements: [
        { kind: "drop", tables: ["public.files", "public.messages"], lsn: "0/5016180", at: new Date(AT) },
        { kind: "truncate", tables: ["public.files"], lsn: "0/5026180", at: new Date(AT) },
      ],
    },
  ],
  "restore resume": [
    { ...IN_PLACE, kept: "pgdata.before-20261129t131415", safety: null },
    { ...IN_PLACE, outcome: "no-backup", backup: "", firstBackup: null, checks: [] },
    { outcome: "not-proved", checks: [{ name: "foreign-keys", status: "failed", detail: "a key" }], serves: false },
  ],
  "restore abort": [
    { outcome: "went-back", phase: "closed" },
    { outcome: "went-back", phase: "backup" },
  ],
  "restore list": [
    {
      servers: [],
      unfinished: {
        ...{ schema: 1, id: "20261129t131415", phase: "swap", target: { kind: "latest" }, safety: null },
        ...{ archived: true, replaces: true, startedAt: new Date(AT) },
      },
    },
    { servers: [SCRATCH, { ...SCRATCH, running: false }] },
    { servers: [] },
    { servers: [{ ...SCRATCH, namespace: "exai-staging" }], stack: "staging" },
  ],
  "restore promote": [SCRATCH],
  "restore drop": [SCRATCH, { ...SCRATCH, namespace: "exai-staging", stack: "staging" }],
  "image build": [{ tag: "exai/reference-server:bad", outcome: "built", faults: "errors=0.2" }],
  doctor: [
    {
      ready: false,
      findings: [
        { name: "node", ok: true, needed: true, found: "v24.21.0", fix: "" },
        {
          name: "docker engine",
          ok: false,
          needed: true,
          found: "no daemon answers",
          fix: "systemctl start docker, or as root: dockerd &",
        },
      ],
    },
  ],
  test: [
    { passed: 1875, failed: 0, skipped: 2, failures: [] },
    {
      passed: 1872,
      failed: 3,
      skipped: 2,
      failures: [
        {
          file: "tests/unit/envoy/routes.test.ts",
          test: "weights of a step add up to 100",
          message:
            "AssertionError: expected 99 to be 100 // Object.is equality\n    at tests/unit/envoy/routes.test.ts:41:19",
        },
        { file: "tests/unit/cli/main.test.ts", message: "Error: Hook timed out in 120000ms." },
        { file: "types", message: "cli/commands/test.ts(12,8): error TS2307: Cannot find module './missing.ts'." },
      ],
    },
  ],
  version: [{ version: "0.1.0", commit: "1a2b3c4", node: "v24.21.0" }],
};

/** Views of every verb that has some. */
export const VIEWS: { readonly [Verb in keyof Views]: readonly Views[Verb][] } = {
  "rollout status --watch": [
    STATUS,
    { ...STATUS, router: "unavailable", prometheus: "unavailable", leader: "doubtful" },
  ],
};
