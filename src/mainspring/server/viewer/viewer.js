// Shows openapi.json, and sends requests to the server that it came from. No libraries.
"use strict";

const make = (tag, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
};

const resolve = (schema, components) => {
  const name = schema?.$ref?.split("/").pop();
  return name ? components[name] : schema;
};

// A schema in words: `text`, `[run]`, `{…}` with one line for each field.
const words = (schema, components, depth = 0) => {
  const found = resolve(schema, components);
  if (!found || Object.keys(found).length === 0) return "any JSON";
  const any = found.anyOf ?? found.oneOf;
  if (any) return any.map((one) => words(one, components, depth)).join(" | ");
  if (found.enum) return found.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (found.type === "array") return `[${words(found.items, components, depth)}]`;
  if (found.properties) {
    if (depth > 3) return found.title ?? "object";
    const pad = "  ".repeat(depth + 1);
    const needed = new Set(found.required ?? []);
    const lines = Object.entries(found.properties).map(
      ([name, field]) =>
        `${pad}${name}${needed.has(name) ? "" : "?"}: ${words(field, components, depth + 1)}`,
    );
    return `{\n${lines.join("\n")}\n${"  ".repeat(depth)}}`;
  }
  return found.format ?? found.type ?? "any JSON";
};

const send = async (method, path, operation, inputs, body, output) => {
  let address = path;
  const query = new URLSearchParams();
  for (const [parameter, input] of inputs) {
    if (parameter.in === "path") {
      address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    } else if (input.value) query.set(parameter.name, input.value);
  }
  const key = document.getElementById("key").value.trim();
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  if (body) headers["Content-Type"] = "application/json";
  const target = `${address.slice(1)}${query.size ? `?${query}` : ""}`;
  try {
    const answer = await fetch(new URL(target, document.baseURI), {
      method: method.toUpperCase(), headers, body: body?.value || undefined,
    });
    const text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON */ }
    output.textContent = `${answer.status} ${answer.statusText}\n${shown}`;
  } catch (error) {
    output.textContent = `No answer: ${error.message}`;
  }
};

const inside = (method, path, operation, components) => {
  const box = make("div", { className: "inside" });
  if (operation.description) box.append(make("p", { textContent: operation.description }));
  const inputs = operation.parameters.map((parameter) => [
    parameter, make("input", { placeholder: words(parameter.schema, components) }),
  ]);
  if (inputs.length) {
    const rows = inputs.map(([parameter, input]) => make("tr", {},
      make("td", {}, make("code", { textContent: parameter.name })),
      make("td", { textContent: parameter.in }), make("td", {}, input)));
    box.append(make("h3", { textContent: "Parameters" }), make("table", {}, ...rows));
  }
  const json = (holder) => holder?.content?.["application/json"]?.schema;
  let body = null;
  if (operation.requestBody) {
    body = make("textarea", { value: "{}", spellcheck: false });
    box.append(make("h3", { textContent: "Body" }),
      make("pre", { textContent: words(json(operation.requestBody), components) }), body);
  }
  for (const [status, answer] of Object.entries(operation.responses)) {
    box.append(make("h3", { textContent: `Answer ${status}` }),
      make("pre", { textContent: words(json(answer), components) }));
  }
  const output = make("pre", { hidden: true });
  const button = make("button", { textContent: "Send" });
  button.addEventListener("click", () => {
    output.hidden = false;
    output.textContent = "…";
    send(method, path, operation, inputs, body, output);
  });
  box.append(button, output);
  return box;
};

const show = (description, wanted) => {
  const components = description.components.schemas;
  const groups = new Map();
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const said = `${method} ${path} ${operation.summary}`.toLowerCase();
      if (!said.includes(wanted)) continue;
      const details = make("details", {}, make("summary", {},
        make("b", { className: `method ${method}`, textContent: method.toUpperCase() }),
        make("code", { textContent: path }), make("span", { textContent: operation.summary })));
      details.addEventListener("toggle", () => {
        if (details.children.length === 1) {
          details.append(inside(method, path, operation, components));
        }
      });
      const tag = operation.tags[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(details);
    }
  }
  const parts = [...groups].flatMap(([tag, found]) => [make("h2", { textContent: tag }), ...found]);
  document.getElementById("operations").replaceChildren(
    ...(parts.length ? parts : [make("p", { textContent: "Nothing fits." })]));
};

const start = async () => {
  const description = await (await fetch("openapi.json")).json();
  const find = document.getElementById("find");
  find.addEventListener("input", () => show(description, find.value.trim().toLowerCase()));
  show(description, "");
};

start();
