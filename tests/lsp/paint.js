// Paints a pipeline from standard input with the grammar, in the engine that editors use: a line `text<TAB>innermost scope` for each piece.
//
//     node paint.js NODE_MODULES GRAMMAR <pipeline
"use strict";

const fs = require("fs");
const path = require("path");

const [modules, grammarPath] = process.argv.slice(2);
const textmate = require(path.join(modules, "vscode-textmate"));
const oniguruma = require(path.join(modules, "vscode-oniguruma"));

async function main() {
    const wasm = fs.readFileSync(path.join(modules, "vscode-oniguruma/release/onig.wasm"));
    await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
    const registry = new textmate.Registry({
        onigLib: Promise.resolve({
            createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
            createOnigString: (text) => new oniguruma.OnigString(text),
        }),
        loadGrammar: async () => textmate.parseRawGrammar(fs.readFileSync(grammarPath, "utf8"), grammarPath),
    });
    const grammar = await registry.loadGrammar("source.evs");
    let state = textmate.INITIAL;
    for (const line of fs.readFileSync(0, "utf8").split("\n")) {
        const painted = grammar.tokenizeLine(line, state);
        state = painted.ruleStack;
        for (const token of painted.tokens) {
            const text = line.slice(token.startIndex, token.endIndex).trim();
            if (text !== "") {
                process.stdout.write(text + "\t" + token.scopes[token.scopes.length - 1] + "\n");
            }
        }
    }
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
