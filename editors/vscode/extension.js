// Starts `evstream lsp` for pipeline files, and speaks to it. Everything that the editor shows comes from there.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

async function start() {
    const settings = vscode.workspace.getConfiguration("evstream");
    const server = { command: settings.get("path") || "evstream", args: ["lsp"] };
    const reference = settings.get("reference");
    client = new LanguageClient("evstream", "evstream", server, {
        documentSelector: [{ language: "evs" }],
        initializationOptions: reference ? { reference } : {},
        synchronize: { fileEvents: vscode.workspace.createFileSystemWatcher("**/*.evs") },
    });
    await client.start();
}

async function restart() {
    if (client !== undefined) {
        await client.stop();
    }
    await start();
}

async function activate(context) {
    context.subscriptions.push(vscode.commands.registerCommand("evstream.restart", restart));
    context.subscriptions.push(
        vscode.workspace.onDidChangeConfiguration((change) => {
            if (change.affectsConfiguration("evstream")) {
                restart();
            }
        }),
    );
    await start();
}

async function deactivate() {
    if (client !== undefined) {
        await client.stop();
    }
}

module.exports = { activate, deactivate };
