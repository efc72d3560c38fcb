// Builds dist/: evs.js for the script tag, tracker.js and tracker.d.ts for bundlers. dist/ is part of the tree, so that
// whoever builds the collector needs no Node.js; a test builds it anew and compares the bytes.
//
//   node build.mjs [FOLDER]

import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, 'dist');
const { version } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
const licence = `/*! evstream tracker ${version}, Apache-2.0 */`;
const shared = {
    bundle: true,
    target: 'es2020',
    define: { VERSION: JSON.stringify(version) },
    legalComments: 'none',
    banner: { js: licence },
    absWorkingDir: here,
};

await build({ ...shared, entryPoints: ['src/evs.ts'], outfile: join(out, 'evs.js'), format: 'iife', minify: true });
await build({ ...shared, entryPoints: ['src/tracker.ts'], outfile: join(out, 'tracker.js'), format: 'esm' });
execFileSync(
    process.execPath,
    [
        join(here, 'node_modules/typescript/bin/tsc'),
        ...['--project', here, '--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--outDir', out],
    ],
    { stdio: 'inherit' },
);
// Of the declarations, those that a user meets.
for (const file of readdirSync(out)) {
    if (file.endsWith('.d.ts') && !['tracker.d.ts', 'types.d.ts'].includes(file)) {
        rmSync(join(out, file));
    }
}
