// Pictures of boards: `node shoot.mjs --prometheus URL --out FOLDER [--seconds N] [--width N] BOARD.json...`
// Runs beside its packages (make preview says where those are), with Chromium from the machine.
import { createServer } from "node:http";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const { values: options, positionals: boards } = parseArgs({
  allowPositionals: true,
  options: {
    prometheus: { type: "string" },
    out: { type: "string" },
    seconds: { type: "string", default: "180" },
    width: { type: "string", default: "1600" },
  },
});
const here = import.meta.dirname;
const version = JSON.parse(readFileSync(join(here, "node_modules/@grafana/ui/package.json"))).version;
const TYPES = { html: "text/html", js: "text/javascript", css: "text/css", svg: "image/svg+xml" };
const PAGE = `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="page.css">
<div id="board"></div><script>window.__grafana_public_path__ = "public/"</script><script src="page.js"></script>`;

async function bundled() {
  await build({
    entryPoints: [join(here, "src/page.jsx")], outdir: join(here, "dist"), bundle: true,
    minify: true, jsx: "automatic", logLevel: "error", define: { "process.env.NODE_ENV": '"production"' },
    loader: { ".woff": "dataurl", ".woff2": "dataurl", ".svg": "dataurl", ".ttf": "empty" },
  });
}

/** Serves the page of one board after the other, and Prometheus' answers. */
async function serving(board) {
  const about = `Live data, drawn with Grafana's own library (@grafana/ui ${version}).`;
  const sent = (response, type, body) => response.writeHead(200, { "content-type": TYPES[type] ?? type }).end(body);
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    const icon = /^\/public\/build\/(img\/icons\/[\w./-]+\.svg)$/.exec(path);
    if (path === "/") return sent(response, "html", PAGE);
    if (path === "/board.json") {
      const told = { board: board.shown, about, seconds: +options.seconds, width: +options.width };
      return sent(response, "application/json", JSON.stringify(told));
    }
    if (path === "/page.js" || path === "/page.css")
      return sent(response, path.split(".").pop(), readFileSync(join(here, "dist", path)));
    if (icon) return sent(response, "svg", readFileSync(join(here, "node_modules/@grafana/ui/dist/public", icon[1])));
    if (path.startsWith("/api/")) {
      const body = await new Response(request).text();
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const answer = await fetch(options.prometheus + path, { method: "POST", body, headers })
        .catch((error) => new Response(String(error.cause ?? error), { status: 502 }));
      response.statusCode = answer.status;
      return response.end(await answer.text());
    }
    response.writeHead(404).end();
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return server;
}

/** All of the board at once: what is out of sight is not drawn. */
function tall({ panels }) {
  return 200 + 38 * Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h));
}

function browser() {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      continue;
    }
  }
  throw new Error("there is no Chromium here (Debian: apt-get install chromium)");
}

const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

await bundled();
mkdirSync(options.out, { recursive: true });
const board = {};
const server = await serving(board);
const chrome = await chromium.launch({ executablePath: browser(), args: QUIET });
try {
  const page = await chrome.newPage({ viewport: { width: +options.width, height: 800 } });
  page.on("pageerror", (error) => {
    console.error(`the page failed: ${error.stack ?? error}`);
    process.exitCode = 1;
  });
  for (const file of boards) {
    board.shown = JSON.parse(readFileSync(file));
    await page.setViewportSize({ width: +options.width, height: tall(board.shown) });
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const drawn = await (await page.waitForFunction(() => window.drawn, null, { timeout: 60_000 })).jsonValue();
    await page.waitForLoadState("networkidle");
    await page.evaluate(() => document.fonts.ready);
    const target = join(options.out, `${basename(file, ".json")}.png`);
    await page.locator("#board").screenshot({ path: target });
    const empty = drawn.filter(({ type, seen }) => !seen && !["row", "text"].includes(type));
    const failed = drawn.filter((each) => each.failed);
    console.log(`${target}: ${drawn.length} panels, without data: ${empty.map(({ title }) => title).join("; ") || "none"}`);
    failed.forEach(({ title, failed: why }) => console.error(`  ${title}: ${why}`));
    if (failed.length) process.exitCode = 1;
  }
} finally {
  await chrome.close();
  server.close();
  rmSync(join(here, "dist"), { recursive: true, force: true });
}
