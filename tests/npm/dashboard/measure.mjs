/* What is measured in a page: how long it takes to come, and how it scrolls. For tests and benchmarks. */

import { appendFileSync } from "node:fs";

export const share = (values, part) => Math.round(values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] * 10) / 10;

/** In the page: clicks on what leads there and waits until its heading is there and nothing loads any more. */
export async function switched(name) {
  const isRun = name.startsWith("run_");
  const links = [...document.querySelectorAll(isRun ? "main a" : "nav a")];
  const link = links.find((one) => (isRun ? one.getAttribute("href").endsWith(name) : one.textContent.trim() === name));
  const heading = name === "Variables" ? "Environment variables" : name;
  const begin = performance.now();
  link.click();
  const there = () => {
    const shown = document.querySelector("h1")?.textContent ?? "";
    const right = isRun ? location.pathname.endsWith(name) && document.querySelector("[role=treeitem]") : shown.startsWith(heading);
    return right && !document.querySelector("main [role=status]")?.textContent.startsWith("Loading");
  };
  while (!there()) await new Promise(requestAnimationFrame);
  return performance.now() - begin;
}

/** Scrolls for so many frames from the top and for as many from the end, as quickly as a hand does. */
export async function scrolled(place, rows, count = 240) {
  const found = await place.evaluate(async (element, [selector, half]) => {
    const end = element.scrollHeight;
    const frames = [];
    let most = 0;
    let last = performance.now();
    for (let frame = 0; frame < 2 * half; frame++) {
      element.scrollTop = frame < half ? frame * 120 : end - (frame - half) * 120;
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      frames.push(now - last);
      last = now;
      most = Math.max(most, document.querySelectorAll(selector).length);
    }
    return { frames, most };
  }, [rows, count]);
  const total = found.frames.reduce((sum, ms) => sum + ms, 0);
  return { fps: Math.round((found.frames.length / total) * 10_000) / 10, p99_ms: share(found.frames, 0.99), rows: found.most };
}

/** The milliseconds of processor time that the page's main thread takes for a frame, of the slowest in
 * twenty, while one scrolls on by 120 px a frame. Not the time between frames: on a machine that
 * others use too that tells how busy they are. What they do to the caches only adds, so that of
 * several rounds the least counts; there are more only where the first ones were over `most`. */
export async function work(page, place, most, rounds = 5) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const taken = async () => (await session.send("Performance.getMetrics")).metrics.find((one) => one.name === "TaskDuration").value * 1000;
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds && least > most; round++) {
    const frames = [];
    let before = await taken();
    for (let frame = 0; frame < 60; frame++) {
      await place.evaluate(async (element, down) => {
        element.scrollTop += down;
        await new Promise(requestAnimationFrame);
        await new Promise((drawn) => setTimeout(drawn));
      }, 120);
      const now = await taken();
      frames.push(now - before);
      before = now;
    }
    least = Math.min(least, share(frames, 0.95));
  }
  await session.detach();
  return least;
}

/** The milliseconds until an answer to `begin` is seen in the page. */
export async function until(page, seen, argument) {
  const begin = performance.now();
  await page.waitForFunction(seen, argument);
  return performance.now() - begin;
}

/** In the page: whether the list has a row of that run with that word. */
export const inList = ([run, word]) => [...document.querySelectorAll("[role=row]")].some((row) => row.textContent.includes(run) && row.textContent.includes(word));
/** In the page: whether its heading has that word. */
export const inHeading = (word) => document.querySelector("h1")?.textContent.includes(word);

/** Keeps a figure of a test beside the pictures. No test fails of one: they are of a busy machine. */
export function keep(what, figures) {
  const file = process.env.MAINSPRING_FIGURES;
  if (file) appendFileSync(file, `${JSON.stringify({ what, ...figures })}\n`);
}
