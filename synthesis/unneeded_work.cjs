// Leaves out work of CDKTF that changes nothing in what is written. Loaded by `node --require`; see synthesis/node.py.
"use strict";

const fs = require("fs");
const Module = require("module");

const LEFT_OUT = [
  [/[\\/]cdktf[\\/]lib[\\/]tokens[\\/]private[\\/]stack-trace\.js$/, withoutStackTraces],
  [/[\\/]cdktf[\\/]lib[\\/]terraform-stack\.js$/, withoutPreparingOneStack],
  [/[\\/]cdktf[\\/]lib[\\/]terraform-asset\.js$/, withoutCopiesOfAssets],
];
const load = Module._extensions[".js"];

Module._extensions[".js"] = function (module, filename) {
  load(module, filename);
  for (const [path, leaveOut] of LEFT_OUT) if (path.test(filename)) leaveOut(module.exports);
};

// Every token notes where it was made, for the message of an error. Under jsii that is always jsii's own loop: where the
// program made it is known to Python alone.
function withoutStackTraces(exported) {
  exported.captureStackTrace = () => [];
}

// Everything is resolved once more beforehand, since a reference to another stack adds resources. One stack has none.
function withoutPreparingOneStack({ TerraformStack }) {
  const prepare = TerraformStack.prototype.prepareStack;
  TerraformStack.prototype.prepareStack = function () {
    const stacks = this.node.root.node.findAll().filter(TerraformStack.isStack);
    if (stacks.length === 1) this.ensureBackendExists();
    else prepare.call(this);
  };
}

// The functions' zips are a hundred megabytes, and each synthesis would copy them. synthesis/packaging.py puts another
// file in the place of a zip and never writes into one, so a second name of it stays what it is.
function withoutCopiesOfAssets({ TerraformAsset }) {
  const synthesize = TerraformAsset.prototype._onSynthesize;
  TerraformAsset.prototype._onSynthesize = function (session) {
    const copy = fs.copyFileSync;
    fs.copyFileSync = (source, target) => {
      try {
        fs.linkSync(fs.realpathSync(source), target);
      } catch {
        copy(source, target); // another file system, or one without links
      }
    };
    try {
      synthesize.call(this, session);
    } finally {
      fs.copyFileSync = copy;
    }
  };
}
