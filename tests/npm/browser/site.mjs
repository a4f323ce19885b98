/* The page, built as a team would build it, and served from memory on an origin of its own. */

import { createServer } from "node:http";
import { build } from "vite";

const TYPES = { html: "text/html", js: "text/javascript" };

/** Builds the page and serves it; answers its address. */
export async function serve() {
  const { output } = await build({
    configFile: false,
    root: import.meta.dirname,
    logLevel: "error",
    build: { write: false, minify: false, modulePreload: false },
    oxc: { jsx: { runtime: "automatic" } },
  });
  const files = new Map(output.map((file) => [`/${file.fileName}`, file.code ?? file.source]));
  const server = createServer((request, response) => {
    const path = request.url === "/" ? "/index.html" : request.url;
    const body = files.get(path);
    response.writeHead(body === undefined ? 404 : 200, {
      "content-type": TYPES[path.split(".").at(-1)] ?? "text/plain",
    });
    response.end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}
