import { TRACED_SERVICE_ROLE, type Resource } from "../../../contract/graph.ts";
import { LABELS } from "../../../contract/labels.ts";
import { componentOf, isContainer } from "../../reading/containers.ts";
import { bearsPods, podsOf } from "../../reading/kubernetes/pods.ts";
import { Reader } from "../../model/reader.ts";
import { judge, subjectOf, type StackContext, type StackRule, type Subject, type Verdict } from "../../model/rule.ts";
import { all, any, not, type Truth } from "../../model/truth.ts";
import { environmentOf } from "../../reading/secret-places.ts";
import { declaredSecrets, secretReferences } from "../../reading/secret-references.ts";
import { dependentTexts, finderOf, tracedIn } from "../../reading/secret-traces.ts";

/** Components of the back end, which may have the key that bypasses row-level security. */
const TRUSTED = /^(server(-blue|-green)?|backup(-runner)?|migrations?)(-files)?$/;
/** Of {@link TRUSTED}, the ones whose volumes of files have the key. */
const HOLDERS = /^server(-blue|-green)?(-files)?$/;
const KEY = /service[_-]?role|sb[_-]secret|supabase[_-]secret/i;
/** A Secret that the stack does not declare, by whose name it may have the key. */
const HOLDING_NAME = /server|service|supabase|admin|exai/i;
/** Names that a secret of an edge function must not have: the key may have another one than its own. */
const POWERFUL = /service|admin|super|root|master|bypass|owner|database|postgres|\bdb|_db|sb_|role/i;

const FUNCTION_SECRETS = "supabase:index/edgeFunctionSecrets:EdgeFunctionSecrets";

/** Only the back end has the key that bypasses all policies. */
export const serviceRole: StackRule = {
  name: "service-role-key",
  title: "Only the server, its backups and its migrations have the service-role key",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "The key bypasses row-level security. It must not be in the environment, files or volumes of another component (router, dashboards, exporters). A pod of another component may not refer to a Secret that has the key, whole or by its key, as a volume, a projected volume or a variable; a Secret that the stack does not declare counts by its name. A container of another component does not mount the server's volume of files. It is not among the secrets of an edge function, which is called from the internet; names such as `ADMIN_KEY` and `DATABASE_URL` are refused there. Its value is looked for as in `secret-flow`, in marked places as well: a resource of another component does not contain it under any name.",
  references: [
    { standard: "Supabase documentation", item: "API keys: service_role" },
    { standard: "CIS Kubernetes 1.11", item: "5.4.1" },
  ],
  notApplicable: ({ graph }) => (graph.resources.some(concerns) ? undefined : "nothing of this stack could have it"),
  *check(context) {
    const declared = declaredSecrets(context);
    const volumes = volumesWithTheKey(context);
    for (const resource of context.graph.resources.filter(concerns)) {
      const subject = subjectOf(resource);
      if (resource.type === FUNCTION_SECRETS) yield* ofFunction(subject);
      else yield* ofWorkload(subject, declared, volumes);
    }
    yield* byItsValue(context);
  },
};

function concerns(resource: Resource): boolean {
  return isContainer(resource) || bearsPods(resource) || resource.type === FUNCTION_SECRETS;
}

function* ofFunction(subject: Subject): Generator<Verdict> {
  for (const secret of subject.inputs.at("secrets").each()) {
    const name = secret.at("name");
    yield judge(
      subject,
      name,
      all(name.isPresent, not(any(name.matches(KEY), name.matches(POWERFUL)))),
      "an edge function may have the service-role key, or another access to all rows",
      "use a separate role for it, under a name that says what it is for",
    );
  }
}

function* ofWorkload(
  subject: Subject,
  declared: ReadonlyMap<string, readonly string[]>,
  volumes: ReadonlySet<string>,
): Generator<Verdict> {
  const { resource, inputs } = subject;
  yield judge(subject, "", true, "", "");
  // Each pod of a resource must be trusted.
  const components = isContainer(resource)
    ? [componentOf(inputs)]
    : podsOf(subject).map((pod) => pod.metadata.at("labels", LABELS.component).text);
  if (components.every((component) => component !== undefined && TRUSTED.test(component))) return;
  const mounted = (at: Reader, holds: Truth): Verdict =>
    judge(subject, at, holds, "the service-role key is mounted", "remove it");
  for (const { reader, name } of environmentOf(subject))
    yield judge(subject, reader, !KEY.test(name), `environment variable ${name} is the service-role key`, "remove it");
  for (const upload of inputs.at("uploads").each())
    yield mounted(upload.at("file"), not(upload.at("file").matches(KEY)));
  if (isContainer(resource))
    for (const volume of inputs.at("volumes").each()) {
      const name = volume.at("volumeName");
      yield mounted(name, name.text === undefined ? true : !volumes.has(name.text));
      const from = volume.at("fromContainer");
      yield mounted(from, any(from.isAbsent, not(from.matches(/server/))));
    }
  for (const { name, keys } of secretReferences(subject)) {
    if (keys === undefined) {
      const known = name.text === undefined ? undefined : declared.get(name.text);
      const holds = known === undefined ? not(name.matches(HOLDING_NAME)) : !known.some((key) => KEY.test(key));
      yield mounted(name, holds);
    } else for (const key of keys) yield mounted(key, not(key.matches(KEY)));
  }
}

/** Resources of other components that contain the value of the key, marked or not, under any name. */
function* byItsValue({ graph }: StackContext): Generator<Verdict> {
  // That the traced run failed is the finding of secret-flow.
  if (graph.traced instanceof Error) return;
  const { secrets } = tracedIn(graph);
  const find = finderOf(secrets.filter(({ name }) => name === TRACED_SERVICE_ROLE || KEY.test(name)));
  for (const [resource, texts] of dependentTexts(graph)) {
    const subject = subjectOf(resource);
    const labels = subject.inputs.at("metadata", "labels", LABELS.component);
    const component = isContainer(resource) ? componentOf(subject.inputs) : labels.text;
    if (component !== undefined && TRUSTED.test(component)) continue;
    for (const { path, text } of texts)
      if (find(text) !== undefined) yield judge(subject, path, false, "it contains the service-role key", "remove it");
  }
}

/** Names of the volumes that carry the server's files. */
function volumesWithTheKey(context: StackContext): ReadonlySet<string> {
  return new Set(
    context.graph.resources
      .filter(isContainer)
      .map((resource) => Reader.of(resource.inputs))
      .filter((inputs) => HOLDERS.test(componentOf(inputs) ?? ""))
      .flatMap((inputs) =>
        inputs
          .at("volumes")
          .each()
          .filter((volume) => volume.at("containerPath").matches(/secret/) === true)
          .flatMap((volume) => volume.at("volumeName").text ?? []),
      ),
  );
}
