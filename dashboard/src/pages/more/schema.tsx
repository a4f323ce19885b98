/* A form made from a JSON Schema. What it cannot show is left to the editor of the raw text. */

import { useId } from "react";
import type { Schema } from "../../api/types.ts";

export type Value = unknown;
type Fields = Record<string, Value>;

/** The schema behind references and behind "or nothing". */
export function resolved(schema: Schema, root: Schema): Schema {
  let found = schema;
  for (let depth = 0; depth < 8; depth++) {
    const name = found.$ref?.match(/^#\/\$defs\/(.+)$/)?.[1];
    if (name) found = { ...root.$defs?.[decodeURIComponent(name)], ...without(found) };
    else if (found.allOf?.length === 1) found = { ...found.allOf[0], ...without(found) };
    else break;
  }
  const choices = (found.anyOf ?? found.oneOf)?.filter((one) => one.type !== "null");
  return choices?.length === 1 && choices[0] ? { ...resolved(choices[0], root), ...described(found) } : found;
}

const without = ({ $ref: _ref, allOf: _all, ...rest }: Schema): Schema => rest;
const described = ({ title, description, default: given }: Schema): Schema => ({ ...(title && { title }), ...(description && { description }), ...(given !== undefined && { default: given }) });
const typeOf = (schema: Schema) => (Array.isArray(schema.type) ? schema.type.find((one) => one !== "null") : schema.type);

/** Whether the form can show it as fields. */
export const isForm = (schema: Schema | null): schema is Schema => schema !== null && Object.keys(resolved(schema, schema).properties ?? {}).length > 0;

/** A value to begin with: defaults, and the empty value of what is required. */
export function initial(given: Schema, root: Schema = given): Value {
  const schema = resolved(given, root);
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum?.length) return schema.enum[0];
  switch (typeOf(schema)) {
    case "object":
      return Object.fromEntries(Object.entries(schema.properties ?? {}).filter(([name, one]) => schema.required?.includes(name) || resolved(one, root).default !== undefined).map(([name, one]) => [name, initial(one, root)]));
    case "array":
      return [];
    case "string":
      return "";
    case "integer":
    case "number":
      return schema.minimum ?? 0;
    case "boolean":
      return false;
    default:
      return null;
  }
}

interface Props {
  schema: Schema;
  root: Schema;
  value: Value;
  change: (value: Value) => void;
}

export function SchemaForm({ schema, root, value, change }: Props) {
  const found = resolved(schema, root);
  const held = (value && typeof value === "object" && !Array.isArray(value) ? value : {}) as Fields;
  const set = (name: string, next: Value) => {
    const { [name]: _old, ...rest } = held;
    change(next === undefined ? rest : { ...held, [name]: next });
  };
  return (
    <div className="space-y-3">
      {Object.entries(found.properties ?? {}).map(([name, one]) => (
        <Field key={name} name={name} required={found.required?.includes(name) ?? false} schema={resolved(one, root)} root={root} value={held[name]} change={(next) => set(name, next)} />
      ))}
    </div>
  );
}

function Field({ name, required, schema, root, value, change }: Props & { name: string; required: boolean }) {
  const id = useId();
  const type = typeOf(schema);
  const label = (
    <label htmlFor={id} className="block font-medium">
      {name}
      {required && <span className="text-bad" aria-hidden="true"> *</span>}
    </label>
  );
  const help = schema.description && <p className="mt-0.5 text-dim">{schema.description}</p>;
  if (schema.enum) {
    return (
      <div>
        {label}
        <select id={id} className="field mt-1" value={JSON.stringify(value)} onChange={(event) => change(event.target.value ? JSON.parse(event.target.value) : undefined)}>
          {!required && <option value="">not given</option>}
          {schema.enum.map((one) => <option key={JSON.stringify(one)} value={JSON.stringify(one)}>{String(one)}</option>)}
        </select>
        {help}
      </div>
    );
  }
  switch (type) {
    case "boolean":
      return (
        <div>
          <label className="flex items-center gap-2 font-medium"><input type="checkbox" checked={value === true} onChange={(event) => change(event.target.checked)} />{name}</label>
          {help}
        </div>
      );
    case "integer":
    case "number":
      return (
        <div>
          {label}
          <input id={id} type="number" step={type === "integer" ? 1 : "any"} min={schema.minimum} max={schema.maximum} required={required} className="field mt-1" value={typeof value === "number" ? value : ""} onChange={(event) => change(event.target.value === "" ? undefined : Number(event.target.value))} />
          {help}
        </div>
      );
    case "string":
      return (
        <div>
          {label}
          <input id={id} required={required} placeholder={schema.format} className="field mt-1" value={typeof value === "string" ? value : ""} onChange={(event) => change(event.target.value === "" && !required ? undefined : event.target.value)} />
          {help}
        </div>
      );
    case "object":
      if (schema.properties) {
        return (
          <fieldset className="rounded-lg border border-line p-3">
            <legend className="px-1 font-medium">{name}</legend>
            {help}
            <SchemaForm schema={schema} root={root} value={value} change={change} />
          </fieldset>
        );
      }
  }
  return (
    <div>
      {label}
      <textarea id={id} key={value === undefined ? "none" : "some"} rows={3} spellCheck={false} placeholder="JSON" className="field mt-1 font-mono text-[13px]" defaultValue={value === undefined ? "" : JSON.stringify(value)} onBlur={(event) => { try { change(event.target.value.trim() ? JSON.parse(event.target.value) : undefined); event.target.setCustomValidity(""); } catch { event.target.setCustomValidity("This is no JSON."); event.target.reportValidity(); } }} />
      {help}
    </div>
  );
}
