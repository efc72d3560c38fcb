// node bundle.mjs FOLDER: the clients of pages/ as one script, as a site would ship them.
import { build } from 'esbuild';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

await build({
    entryPoints: [join(dirname(fileURLToPath(import.meta.url)), 'main.js')],
    outfile: join(process.argv[2], 'clients.js'),
    bundle: true,
    format: 'iife',
    target: 'es2020',
    logLevel: 'error',
});
