/* The spans of a trace as a tree, and as the rows that are open. */

import { isFinal, type Span, type Trace } from "../../api/types.ts";

export interface Node {
  span: Span;
  children: Node[];
  depth: number;
  parent: Node | null;
}

export interface Axis {
  from: number;
  to: number;
}

export function treeOf(trace: Trace): Node | null {
  const nodes = new Map<string, Node>();
  let root: Node | null = null;
  for (const span of trace.spans) {
    const parent = span.parent_id ? (nodes.get(span.parent_id) ?? root) : root;
    const node: Node = { span, children: [], depth: parent ? parent.depth + 1 : 0, parent };
    nodes.set(span.id, node);
    if (parent) parent.children.push(node);
    else root = node;
  }
  const sort = (node: Node) => {
    node.children.sort((a, b) => a.span.started_at - b.span.started_at);
    node.children.forEach(sort);
  };
  if (root) sort(root);
  return root;
}

/** The rows to show. What failed is open from the start, and so are the first levels. */
export function rowsOf(root: Node, toggled: ReadonlySet<string>): Node[] {
  const rows: Node[] = [];
  const add = (node: Node) => {
    rows.push(node);
    if (isOpen(node, toggled)) node.children.forEach(add);
  };
  add(root);
  return rows;
}

export const isOpen = (node: Node, toggled: ReadonlySet<string>) => node.children.length > 0 && opensItself(node) !== toggled.has(node.span.id);

const FEW = 60;
const opensItself = (node: Node) => node.depth < 4 && (node.children.length <= FEW || node.depth === 0);

/** Which nodes to toggle so that everything is open, or closed. */
export function allOf(root: Node, open: boolean): Set<string> {
  const found = new Set<string>();
  const visit = (node: Node) => {
    if (node.children.length && node.parent && opensItself(node) !== open) found.add(node.span.id);
    node.children.forEach(visit);
  };
  visit(root);
  return found;
}

export function axisOf(trace: Trace, now: number): Axis {
  let [from, to, going] = [Number.POSITIVE_INFINITY, 0, false];
  for (const span of trace.spans) {
    from = Math.min(from, span.started_at);
    to = Math.max(to, span.ended_at ?? 0);
    going ||= span.ended_at === null;
  }
  return { from, to: Math.max(going ? now : to, from + 1) };
}

export const isGoingOn = (trace: Trace | undefined) => {
  const first = trace?.spans[0];
  return first !== undefined && !(first.status && isFinal(first.status));
};

/** What a kind of span is called, and how its bar looks. */
export const KINDS: Record<string, { word: string; bar: string }> = {
  run: { word: "run", bar: "" },
  attempt: { word: "attempt", bar: "bg-busy" },
  step: { word: "step", bar: "bg-accent" },
  trigger: { word: "trigger", bar: "bg-accent" },
  lost: { word: "lost", bar: "bg-bad" },
  span: { word: "span", bar: "bg-good" },
};
const WAIT = { bar: "bg-wait hatched" };
const WAITS: Record<string, string> = { run: "runs", time: "time", token: "a token", event: "an event", input: "an input", diverged: "a decision" };
export const isRun = (span: Span) => span.kind === "run" && span.status !== null;
export const kindOf = (span: Span) => (isRun(span) || span.kind !== "run" ? KINDS[span.kind] : undefined) ?? { ...WAIT, word: `wait for ${WAITS[span.kind] ?? span.kind.replaceAll("_", " ")}` };
