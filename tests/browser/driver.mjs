// Drives Chromium for the suite, which is written in Python: a line of JSON in, a line of JSON out.
//
//   {"do": "open", "context": "a", "page": "p", "url": "http://…"}   →  {"value": …} or {"error": "…"}
//
// A context is a visitor: cookies and storage of its own. Chromium is Debian's.

import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const [executablePath] = process.argv.slice(2);
// The suite plays people: a browser that says of itself that it is automatic would be marked as a bot.
const AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-blink-features=AutomationControlled', '--disable-background-networking'],
});
const contexts = new Map();
const pages = new Map();
const messages = new Map(); // what pages have said, and their errors

async function contextOf(name, options = {}) {
    if (!contexts.has(name)) {
        contexts.set(name, await browser.newContext({ userAgent: AGENT, ...options }));
    }
    return contexts.get(name);
}

const commands = {
    async open({ context, page, url, options, before }) {
        const made = await (await contextOf(context, options)).newPage();
        const said = [];
        made.on('console', (message) => said.push(`${message.type()}: ${message.text()}`));
        made.on('pageerror', (error) => said.push(`error: ${error.message}`));
        pages.set(page, made);
        messages.set(page, said);
        if (before) {
            await made.addInitScript(before);
        }
        await made.goto(url);
    },
    go: ({ page, url }) => pages.get(page).goto(url).then(() => null),
    run: ({ page, code }) => pages.get(page).evaluate(/^(async )?\(\) =>/.test(code) ? `(${code})()` : code),
    wait: ({ page, code }) =>
        pages
            .get(page)
            .waitForFunction(code, undefined, { timeout: 60000, polling: 50 })
            .then(
                () => null,
                () => Promise.reject(new Error(`${page} never came to ${code}; it has said: ${messages.get(page).join(', ')}`)),
            ),
    click: ({ page, selector }) => pages.get(page).click(selector, { noWaitAfter: true }).then(() => null),
    press: ({ page, key }) => pages.get(page).keyboard.press(key).then(() => null),
    fill: ({ page, selector, text }) => pages.get(page).fill(selector, text).then(() => null),
    offline: async ({ context, value }) => (await contextOf(context)).setOffline(value).then(() => null),
    cookies: async ({ context }) => (await contextOf(context)).cookies(),
    said: ({ page }) => messages.get(page),
    picture: ({ page, path }) => pages.get(page).screenshot({ path, fullPage: true }).then(() => null),
    close: ({ page }) => pages.get(page).close().then(() => null),
    leave: async ({ context }) => {
        await (await contextOf(context)).close();
        contexts.delete(context);
    },
};

console.log(JSON.stringify({ value: browser.version() }));
for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    let answer;
    try {
        answer = { value: (await commands[command.do](command)) ?? null };
    } catch (error) {
        answer = { error: String(error.message ?? error) };
    }
    console.log(JSON.stringify(answer));
}
await browser.close();
