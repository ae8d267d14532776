"""Quick synthesis: the same output from a fraction of what stock CDKTF loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from synthesis.node import PRELOADED

REPOSITORY = Path(__file__).parents[3]


PACKAGE = "cdktf_cdktf_provider_aws"


LAZY_INDEX, UNNEEDED_WORK = PRELOADED


def python(program: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process that inherits nothing of this one's preparation."""
    inherited = {name: value for name, value in os.environ.items() if name != "NODE_OPTIONS"}
    inherited.pop("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", None)
    return subprocess.run(
        [sys.executable, *options, "-c", program],
        cwd=REPOSITORY,
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """main.py in a process of its own, which then says what it has loaded."""
    output = tmp_path_factory.mktemp("output")
    program = (
        "import runpy, sys, json; sys.argv = ['main.py', '--environment', 'local'];"
        "runpy.run_path('main.py'); print(json.dumps(sorted(sys.modules)))"
    )
    return python(program, CDKTF_OUTDIR=str(output)), output


@pytest.mark.requirement("W0.1")
def test_synthesis_is_silent_and_writes_the_stack(
    synthesized: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    ended, output = synthesized
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""  # not Node's end-of-life banner either
    assert json.loads((output / "stacks/payment-platform/cdk.tf.json").read_text())["resource"]


@pytest.mark.requirement("W0.1")
def test_only_the_bindings_that_the_stack_uses_are_loaded(
    synthesized: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    ended, _ = synthesized
    loaded = {name.split(".")[1] for name in json.loads(ended.stdout) if name.startswith(f"{PACKAGE}.")}
    assert "vpc" in loaded
    assert len(loaded) < 200  # of more than two thousand


@pytest.mark.requirement("W0.1")
def test_lazy_index_equals_the_eager_one() -> None:
    ended = python(
        "import synthesis; synthesis.prepare()\n"
        f"import pathlib, {PACKAGE} as aws\n"
        "exported = {path.parent.name for path in pathlib.Path(aws.__path__[0]).glob('*/__init__.py')} - {'_jsii'}\n"
        "assert exported == set(dir(aws)), exported ^ set(dir(aws))\n"
        f"from {PACKAGE} import vpc\n"
        "assert vpc.Vpc is aws.vpc.Vpc\n"
        "assert not hasattr(aws, 'no_such_service')\n"
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.requirement("W0.1")
def test_object_created_in_node_gets_its_python_class() -> None:
    """jsii looks a class up by its name when nothing in Python has imported it."""
    ended = python(
        "import synthesis; synthesis.prepare()\n"
        "from cdktf import Testing, TerraformStack\n"
        f"from {PACKAGE}.acm_certificate import AcmCertificate\n"
        "certificate = AcmCertificate(TerraformStack(Testing.app(), 's'), 'c', domain_name='example.com')\n"
        "options = certificate.domain_validation_options\n"
        f"assert type(options.get(0)).__module__ == '{PACKAGE}.acm_certificate', type(options.get(0))\n"
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.requirement("W0.1")
def test_preparing_twice_changes_nothing_and_keeps_other_node_options() -> None:
    ended = python(
        "import os, synthesis; synthesis.prepare(); first = os.environ['NODE_OPTIONS']\n"
        "synthesis.prepare(); assert os.environ['NODE_OPTIONS'] == first\n"
        "assert first.startswith('--max-old-space-size=2048 --require '), first\n",
        NODE_OPTIONS="--max-old-space-size=2048",
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.requirement("W0.1")
def test_only_the_index_is_replaced_in_node() -> None:
    """Every export of the lazy index is the module that the eager one exports under that name."""
    program = f"""
        require({json.dumps(str(LAZY_INDEX))});
        const fs = require("fs"), os = require("os"), path = require("path");
        const root = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "index-")), "@cdktf", "provider-aws", "lib");
        fs.mkdirSync(path.join(root, "one"), {{ recursive: true }});
        fs.mkdirSync(path.join(root, "two"));
        fs.writeFileSync(path.join(root, "index.js"),
            'exports.one = require("./one");\\nexports.two = __importStar(require("./two"));\\n');
        fs.writeFileSync(path.join(root, "one", "index.js"), 'exports.name = "one"; global.loaded = "one";');
        fs.writeFileSync(path.join(root, "two", "index.js"), 'exports.name = "two"; global.loaded = "two";');
        const index = require(path.join(root, "index.js"));
        console.log(JSON.stringify([Object.keys(index), global.loaded ?? null, index.one.name, global.loaded,
            index.one === index.one, index.two.name]));
    """
    ended = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == [["one", "two"], None, "one", "one", True, "two"]


@pytest.mark.requirement("W0.1")
def test_references_are_cached_and_inputs_are_not() -> None:
    ended = python(
        "import synthesis; synthesis.prepare()\n"
        "import jsii\n"
        "from cdktf import Testing, TerraformStack\n"
        f"from {PACKAGE}.vpc import Vpc\n"
        "vpc = Vpc(TerraformStack(Testing.app(), 's'), 'v', cidr_block='10.0.0.0/16')\n"
        "asked = []\n"
        "get = jsii.kernel.provider.get\n"
        "jsii.kernel.provider.get = lambda request: asked.append(request.property) or get(request)\n"
        "assert vpc.arn == vpc.arn and vpc.id != vpc.arn\n"
        "assert asked == ['arn', 'id'], asked\n"
        "vpc.cidr_block = '10.1.0.0/16'\n"
        "assert vpc.cidr_block_input == '10.1.0.0/16', vpc.cidr_block_input\n"
        "vpc.cidr_block = '10.2.0.0/16'\n"
        "assert vpc.cidr_block_input == '10.2.0.0/16', vpc.cidr_block_input\n"
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.requirement("W0.1")
@pytest.mark.parametrize(("options", "kept"), [(["-O"], "str False"), ([], "type True")])
def test_only_a_program_that_ends_with_its_synthesis_leaves_annotations_text_and_garbage_where_it_is(
    options: list[str], kept: str
) -> None:
    ended = python(
        "import gc, synthesis; synthesis.prepare()\n"
        f"from {PACKAGE}.vpc import Vpc\n"
        "print(type(Vpc.__init__.__annotations__['id_']).__name__, gc.isenabled())\n",
        *options,
    )
    assert (ended.stdout.strip(), ended.returncode) == (kept, 0), ended.stderr


@pytest.mark.requirement("W0.1")
@pytest.mark.parametrize(("stacks", "calls"), [(1, 0), (2, 2)])
def test_only_a_stack_that_others_may_refer_to_is_resolved_beforehand(stacks: int, calls: int) -> None:
    """What CDKTF does beforehand serves references between stacks; these still work."""
    program = f"""
        require({json.dumps(str(UNNEEDED_WORK))});
        const {{ App, TerraformStack, TerraformOutput, Lazy }} = require("cdktf");
        const app = new App({{ outdir: require("fs").mkdtempSync("/tmp/stacks-") }});
        let asked = 0;
        for (let number = 0; number < {stacks}; number++) {{
            const stack = new TerraformStack(app, `stack-${{number}}`);
            const value = Lazy.stringValue({{ produce: () => {{ asked++; return "x"; }} }});
            new TerraformOutput(stack, "output", {{ value }});
        }}
        const before = TerraformStack.prototype.toTerraform;
        let prepared = 0;
        TerraformStack.prototype.toTerraform = function () {{ prepared ||= asked; return before.call(this); }};
        app.synth();
        console.log(prepared);
    """
    ended = subprocess.run(["node", "-e", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) == calls


@pytest.mark.requirement("W0.1")
@pytest.mark.parametrize("links", [True, False], ids=["linked", "copied where no link can be made"])
def test_an_asset_is_a_second_name_of_its_file(tmp_path: Path, links: bool) -> None:
    (tmp_path / "function.zip").write_text("code")
    (tmp_path / "named.zip").symlink_to(tmp_path / "function.zip")
    program = f"""
        require({json.dumps(str(UNNEEDED_WORK))});
        const fs = require("fs");
        const {{ App, TerraformStack, TerraformAsset, AssetType }} = require("cdktf");
        const app = new App({{ outdir: {json.dumps(str(tmp_path / "output"))} }});
        const path = {json.dumps(str(tmp_path / "named.zip"))};
        new TerraformAsset(new TerraformStack(app, "stack"), "code", {{ path, type: AssetType.FILE }});
        if (!{json.dumps(links)}) fs.linkSync = () => {{ throw new Error("EXDEV"); }};
        const copy = fs.copyFileSync;
        app.synth();
        console.log(fs.copyFileSync === copy);
    """
    ended = subprocess.run(["node", "-e", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "true\n"), ended.stderr
    (asset,) = (tmp_path / "output").rglob("named.zip")
    assert (asset.read_text(), asset.is_symlink()) == ("code", False)
    assert asset.samefile(tmp_path / "function.zip") is links
