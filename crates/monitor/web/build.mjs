// Makes the page's files in ../assets: one script, one style sheet, the page and its icon. The same sources give the same bytes.
import { copyFileSync, mkdirSync } from "node:fs";
import { build } from "esbuild";

const out = process.argv[2] ?? "../assets";
mkdirSync(out, { recursive: true });
await build({
  entryPoints: { app: "src/main.ts" },
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "inline",
  outdir: out,
  logLevel: "warning",
});
for (const name of ["index.html", "icon.svg"]) copyFileSync(name, `${out}/${name}`);
