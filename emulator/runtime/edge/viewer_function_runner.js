'use strict';
// Runs CloudFront functions: a line of JSON on stdin is a function and its event, a line on stdout what came of it.
// A function sees ECMAScript and console, and nothing of Node.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html

const readline = require('readline');
const vm = require('vm');

const MILLISECONDS = 1000;

async function run({ code, event }) {
    const lacking = /^\s*import\s|\brequire\s*\(/m.exec(code);
    if (lacking) {
        return { lacks: 'modules of CloudFront functions' };
    }
    const sandbox = vm.createContext({ console: { log() {} } });
    try {
        vm.runInContext(code, sandbox, { timeout: MILLISECONDS });
        const call = `handler(JSON.parse(${JSON.stringify(JSON.stringify(event))}))`;
        const result = await limited(vm.runInContext(call, sandbox, { timeout: MILLISECONDS }));
        return { result: JSON.parse(JSON.stringify(result === undefined ? null : result)) };
    } catch (error) {
        return { error: String(error && error.message ? error.message : error) };
    }
}

function limited(work) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error('the function took too long')), MILLISECONDS);
    });
    return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

let before = Promise.resolve();
readline.createInterface({ input: process.stdin }).on('line', (line) => {
    before = before.then(async () => {
        process.stdout.write(JSON.stringify(await run(JSON.parse(line))) + '\n');
    });
});
