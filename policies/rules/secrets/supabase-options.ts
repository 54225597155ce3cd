import { judgeAnswers } from "../../model/answer.ts";
import type { ResourceRule } from "../../model/rule.ts";
import { matching, understood, type Options } from "../../reading/options.ts";

/** A file of a function, in the project: no address of a module, and no path out of the folder. */
const FILE = matching(/^(?!.*(?:^|\/)\.\.(?:\/|$))(?:[\w./ -]*\/)?supabase\/functions\/[\w./*-]+$/);

const UNDERSTOOD: Readonly<Record<string, Readonly<Record<string, Options>>>> = {
  "supabase:index/edgeFunction:EdgeFunction": {
    projectRef: "any",
    slug: "any",
    name: "any",
    entrypoint: FILE,
    importMap: FILE,
    staticFiles: FILE,
  },
  "supabase:index/edgeFunctionSecrets:EdgeFunctionSecrets": {
    projectRef: "any",
    secrets: { name: "any", value: "any" },
  },
  "supabase:index/project:Project": {
    organizationId: "any",
    name: "any",
    region: "any",
    instanceSize: "any",
    databasePassword: "any",
    timeouts: "any",
  },
  "supabase:index/branch:Branch": { parentProjectRef: "any", gitBranch: "any", region: "any" },
  "supabase:index/settings:Settings": {
    projectRef: "any",
    // Judged by a separate rule.
    api: "any",
    auth: "any",
    database: "any",
    network: "any",
    pooler: "any",
    storage: "any",
    timeouts: "any",
  },
  "pulumi:providers:supabase": {
    accessToken: "any",
    version: "any",
    // What listens on this machine gets nothing that the machine does not have.
    endpoint: matching(/^(?:https:\/\/api\.supabase\.com|http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?)$/),
  },
};

/** A closed world of options. */
export const supabaseOptions: ResourceRule = {
  name: "supabase-options",
  title: "The rules understand every option of the resources of Supabase",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "An option that the rules do not understand is a finding, so that a new option of the provider cannot open a project unnoticed. Not understood are, among others, `legacyApiKeysEnabled`, an edge function that accepts requests without a token (`verifyJwt: false`), files of a function from outside of `supabase/functions`, and another `endpoint` of the provider, which would get the access token, unless it is on this machine.",
  references: [{ standard: "Supabase documentation", item: "Edge Functions: Securing; API keys" }],
  notApplicable: ({ graph }) =>
    graph.resources.some(({ type }) => Object.hasOwn(UNDERSTOOD, type))
      ? undefined
      : "this stack has no resources of Supabase",
  concerns: ({ type }) => Object.hasOwn(UNDERSTOOD, type),
  *check(subject) {
    yield* judgeAnswers(subject, { at: subject.inputs, holds: subject.inputs.isPresent, message: "", fix: "" });
    // For this option, no value is the safe one.
    const verified = subject.inputs.at("verifyJwt");
    yield* judgeAnswers(subject, {
      at: verified,
      holds: verified.isAbsentOr(true),
      message: "the function accepts requests without a token",
      fix: "remove verifyJwt",
    });
    yield* judgeAnswers(
      subject,
      understood(subject.inputs, { ...UNDERSTOOD[subject.resource.type], verifyJwt: "any" }),
    );
  },
};
