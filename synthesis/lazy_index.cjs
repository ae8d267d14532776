// Makes the index of the prebuilt AWS bindings lazy: its `exports.vpc = require("./vpc")` lines, more than two thousand,
// become getters that load a module when it is first used. Loaded by `node --require`; see synthesis/node.py.
"use strict";

const fs = require("fs");
const Module = require("module");

const INDEX = /[\\/]@cdktf[\\/]provider-aws[\\/]lib[\\/]index\.js$/;
const EXPORT = /^exports\.(\w+) = (?:__importStar\()?require\("(\.\/[^"]+)"\)\)?;$/gm;

const load = Module._extensions[".js"];

Module._extensions[".js"] = function (module, filename) {
  if (!INDEX.test(filename)) return load(module, filename);
  const exported = [...fs.readFileSync(filename, "utf8").matchAll(EXPORT)];
  if (exported.length === 0) return load(module, filename); // another layout than the one known: as if we were not here
  Object.defineProperty(module.exports, "__esModule", { value: true });
  for (const [, name, path] of exported) defineLazily(module, name, path);
};

function defineLazily(module, name, path) {
  const attributes = { enumerable: true, configurable: true };
  Object.defineProperty(module.exports, name, {
    ...attributes,
    get() {
      const value = module.require(path);
      Object.defineProperty(module.exports, name, { ...attributes, value });
      return value;
    },
  });
}
