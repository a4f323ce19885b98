/* Buttons, dialogs, menus: thin clothes over what browsers have. */

import { type ButtonHTMLAttributes, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { Icon, type IconName } from "./icons.tsx";

type Kind = "plain" | "primary" | "danger" | "ghost";
const KINDS: Record<Kind, string> = {
  plain: "border border-line bg-panel hover:bg-raised",
  primary: "border border-transparent bg-accent text-on-accent hover:brightness-95",
  danger: "border border-transparent bg-bad text-panel hover:brightness-95",
  ghost: "border border-transparent text-dim hover:bg-raised hover:text-ink",
};

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: Kind;
  icon?: IconName;
  /** The words of a button that shows only its icon. */
  label?: string;
}

export function Button({ kind = "plain", icon, label, children, className = "", ...rest }: ButtonProps) {
  const bare = children === undefined;
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={`inline-flex h-8 items-center justify-center gap-1.5 rounded-md ${bare ? "w-8" : "px-3"} font-medium whitespace-nowrap disabled:cursor-not-allowed disabled:opacity-45 ${KINDS[kind]} ${className}`}
      {...rest}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  wide?: boolean;
}

export function Dialog({ title, onClose, children, wide = false }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const shown = dialog.current;
    if (shown && !shown.open) shown.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={heading}
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
      className={`max-h-[88vh] w-[calc(100vw-2rem)] ${wide ? "max-w-3xl" : "max-w-md"} rounded-xl border border-line bg-panel p-0 shadow-2xl`}
    >
      <div className="flex max-h-[88vh] flex-col">
        <header className="flex items-center justify-between gap-3 border-b border-line px-4 py-3">
          <h2 id={heading} className="text-[15px] font-semibold">
            {title}
          </h2>
          <Button kind="ghost" icon="close" label="Close" onClick={() => dialog.current?.close()} />
        </header>
        <div className="overflow-auto p-4">{children}</div>
      </div>
    </dialog>
  );
}

interface MenuProps {
  label: string;
  icon?: IconName;
  children: (close: () => void) => ReactNode;
  align?: "left" | "right";
  kind?: Kind;
  open?: boolean;
  onOpen?: (open: boolean) => void;
}

/** A button that opens a panel below itself; Escape and a click elsewhere close it. */
export function Menu({ label, icon, children, align = "left", kind = "plain", open: given, onOpen }: MenuProps) {
  const [own, setOwn] = useState(false);
  const open = given ?? own;
  const setOpen = onOpen ?? setOwn;
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const away = (event: PointerEvent) => {
      if (!place.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [open, setOpen]);
  return (
    <div
      ref={place}
      className="relative"
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !open) return;
        event.stopPropagation();
        setOpen(false);
        place.current?.querySelector("button")?.focus();
      }}
    >
      <Button kind={kind} icon={icon} aria-expanded={open} aria-haspopup="true" onClick={() => setOpen(!open)}>
        {label}
      </Button>
      {open && (
        <div
          className={`absolute top-full z-30 mt-1 max-h-[70vh] min-w-52 overflow-auto rounded-lg border border-line bg-panel p-1 shadow-xl ${align === "right" ? "right-0" : "left-0"}`}
        >
          {children(() => setOpen(false))}
        </div>
      )}
    </div>
  );
}

export function MenuItem({ onClick, children, checked }: { onClick: () => void; children: ReactNode; checked?: boolean }) {
  return (
    <button
      type="button"
      role={checked === undefined ? undefined : "menuitemcheckbox"}
      aria-checked={checked}
      onClick={onClick}
      className="flex w-full items-center gap-2 rounded-md px-2.5 py-1.5 text-left hover:bg-raised"
    >
      {children}
      {checked && <Icon name="check" className="ml-auto text-accent" />}
    </button>
  );
}

export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const id = setTimeout(() => setDone(false), 1400);
    return () => clearTimeout(id);
  }, [done]);
  return (
    <Button
      kind="ghost"
      icon={done ? "check" : "copy"}
      label={done ? "Copied" : label}
      className="size-7!"
      onClick={() => void copy(text).then(() => setDone(true))}
    />
  );
}

/** Puts text on the clipboard, also where pages have none because they came without TLS. */
export async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}
