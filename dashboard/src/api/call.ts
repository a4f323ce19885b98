/* Asking the server. Which environment is meant is said here, once for the whole tab. */

import type { Session } from "./types.ts";

/** Why a request was refused, in the server's words. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const CHOSEN = "mainspring-environment";
let environment = sessionStorage.getItem(CHOSEN) ?? localStorage.getItem(CHOSEN) ?? "";
let onSignedOut: () => void = () => {};

export const chosenEnvironment = () => environment;
export const whenSignedOut = (told: () => void) => void (onSignedOut = told);

export function chooseEnvironment(slug: string): void {
  environment = slug;
  sessionStorage.setItem(CHOSEN, slug);
  localStorage.setItem(CHOSEN, slug);
}

/** The address of a path of the server, wherever it is mounted. */
export const at = (path: string) => new URL(path, document.baseURI).href;

export async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (environment) headers["x-mainspring-environment"] = environment;
  if (body !== undefined) headers["content-type"] = "application/json";
  const init: RequestInit = { method, headers, credentials: "same-origin" };
  if (body !== undefined) init.body = JSON.stringify(body);
  let response: Response;
  try {
    response = await fetch(at(path), init);
  } catch {
    throw new Refused(0, "offline", "The server cannot be reached.");
  }
  const text = await response.text();
  let told: { error?: string; code?: string } & Record<string, unknown> = {};
  try {
    told = text ? JSON.parse(text) : {};
  } catch {
    told = { error: text.slice(0, 300) };
  }
  if (response.ok) return told as T;
  if (response.status === 401 && !path.includes("/session")) onSignedOut();
  throw new Refused(response.status, told.code ?? "", told.error ?? `The server answered ${response.status}.`);
}

/** One request of `mainspring.wire.calls`, by its tag. */
export const call = <T>(type: string, fields: object = {}): Promise<T> =>
  request<T>("POST", "api/mainspring/v1/call", { type, ...fields });

const SESSION = "api/mainspring/v1/session";
export const session = {
  show: () => request<Session>("GET", SESSION),
  begin: (token: string) => request<Session>("POST", SESSION, { token }),
  beginWith: (name: string, password: string) => request<Session>("POST", SESSION, { name, password }),
  beginFirst: (token: string, name: string, password: string) => request<Session>("POST", `${SESSION}/first`, { token, name, password }),
  setPassword: (password: string, old: string) => request<Session>("POST", `${SESSION}/password`, { password, old }),
  beginHere: () => request<Session>("POST", `${SESSION}/dev`),
  end: () => request<Session>("DELETE", SESSION),
};
