/* Something that is done again whenever it is asked for: at once, then at most so often, never twice at
   the same time. */

export interface Paced {
  soon: () => void;
  stop: () => void;
}

/** `ms` from one beginning to the next; more while the act itself takes long, as on a busy server. The
 * first time not before `rest`. */
export function paced(ms: number, act: () => Promise<unknown>, rest = 0): Paced {
  let timer = 0;
  let busy = false;
  let missed = false;
  let over = false;
  let next = performance.now() + rest;
  const run = async () => {
    timer = 0;
    busy = true;
    const began = performance.now();
    await act().catch(() => {}); // the next change asks again
    const now = performance.now();
    next = now + Math.max(ms - (now - began), now - began);
    busy = false;
    if (missed) soon();
    missed = false;
  };
  const soon = () => {
    if (over) return;
    missed = busy;
    if (!busy) timer ||= setTimeout(() => void run(), next - performance.now());
  };
  const stop = () => {
    over = true;
    clearTimeout(timer);
  };
  return { soon, stop };
}
