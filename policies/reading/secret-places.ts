import type { Resource } from "../../contract/graph.ts";
import type { Reader } from "../model/reader.ts";
import type { Subject } from "../model/rule.ts";
import { isContainer } from "./containers.ts";
import { kindOf, podsOf } from "./kubernetes/pods.ts";

/** A value that every user with read access to the resource can see. */
export interface OpenPlace {
  readonly reader: Reader;
  /** Name of the variable, key or label; empty for an argument. */
  readonly name: string;
  /** Kind of the place, for messages. */
  readonly kind: "environment variable" | "ConfigMap" | "command line" | "label" | "annotation" | "file";
  /** The value without its name, e.g. of `NAME=value`. */
  readonly value: string | undefined;
}

/** Whether a resource has places that {@link openPlaces} reads. */
export function hasOpenPlaces(resource: Resource): boolean {
  return isContainer(resource) || kindOf(resource) !== undefined;
}

/** Every readable place of a resource that is not marked secret. */
export function* openPlaces(subject: Subject): Generator<OpenPlace> {
  for (const place of allPlaces(subject)) if (!place.reader.secret) yield place;
}

/** Every environment variable of a resource, marked secret or not. */
export function* environmentOf(subject: Subject): Generator<OpenPlace> {
  for (const place of allPlaces(subject)) if (place.kind === "environment variable") yield place;
}

function* allPlaces(subject: Subject): Generator<OpenPlace> {
  const { resource, inputs } = subject;
  if (isContainer(resource)) {
    for (const reader of inputs.at("envs").each()) yield assignment(reader, "environment variable");
    for (const key of ["command", "entrypoints"]) yield* words(inputs.at(key));
    yield* words(inputs.at("healthcheck", "tests"));
    for (const label of inputs.at("labels").each()) yield named(label.at("value"), nameIn(label.at("label")), "label");
    for (const upload of inputs.at("uploads").each()) yield named(upload.at("content"), "", "file");
    return;
  }
  const kind = kindOf(resource);
  if (kind === undefined) return;
  for (const [key, reader] of inputs.at("metadata", "labels").entries()) yield named(reader, key, "label");
  for (const [key, reader] of inputs.at("metadata", "annotations").entries()) yield named(reader, key, "annotation");
  if (kind === "ConfigMap")
    for (const [key, reader] of inputs.at("data").entries()) yield named(reader, key, "ConfigMap");
  for (const pod of podsOf(subject)) {
    for (const [key, reader] of pod.metadata.at("labels").entries()) yield named(reader, key, "label");
    for (const [key, reader] of pod.metadata.at("annotations").entries()) yield named(reader, key, "annotation");
    for (const { reader } of pod.containers) {
      for (const variable of reader.at("env").each()) {
        // A reference to a Secret has no value.
        if (variable.at("value").isAbsent !== true)
          yield named(variable.at("value"), nameIn(variable.at("name")), "environment variable");
      }
      for (const key of ["command", "args"]) yield* words(reader.at(key));
    }
  }
}

function* words(list: Reader): Generator<OpenPlace> {
  for (const reader of list.each()) yield { reader, name: "", kind: "command line", value: reader.text };
}

function named(reader: Reader, name: string, kind: OpenPlace["kind"]): OpenPlace {
  return { reader, name, kind, value: reader.text };
}

/** The name for messages; empty if it is secret. */
function nameIn(reader: Reader): string {
  return reader.secret ? "" : (reader.text ?? "");
}

function assignment(reader: Reader, kind: OpenPlace["kind"]): OpenPlace {
  const text = reader.text;
  // Without the limit on names, a base64 value with an equals sign would be shown as a name.
  const match = /^([A-Za-z_]\w{0,63})=(.+)$/s.exec(text ?? "");
  const [, name = "", value = text] = match ?? [];
  return { reader, name, kind, value };
}
