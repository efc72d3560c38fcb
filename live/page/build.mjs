// Builds dist/: the page's three files and the licences of what they hold. dist/ is part of the tree and goes into the program
// (live/page.c), so that whoever builds evstream needs no Node.js; a test builds it anew and compares the bytes.
//
//   node build.mjs [FOLDER]

import { build } from 'esbuild';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, 'dist');
const libraries = ['preact', 'uplot', '@dagrejs/dagre', '@dagrejs/graphlib'];

mkdirSync(out, { recursive: true });
await build({
    entryPoints: { page: join(here, 'src/main.tsx') },
    outdir: out,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    banner: { js: '/*! evstream live page, Apache-2.0; libraries: see /licences.txt */' },
    absWorkingDir: here,
});
copyFileSync(join(here, 'src/index.html'), join(out, 'index.html'));
const licences = libraries.map((name) => {
    const folder = join(here, 'node_modules', name);
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return `${name} ${version}\n\n${readFileSync(join(folder, 'LICENSE'), 'utf8').trim()}\n`;
});
writeFileSync(join(out, 'licences.txt'), licences.join('\n----\n\n'));
