"""How fast are heatmaps? `python -m benchmarks.heatmaps [--device cuda] [--bundle PATH] [--skip-service] [--quick]`

Attention relevance of a caption in pictures, by towers of published shapes (CLIP ViT-B/16, DINOv2 ViT-B/14 with
registers) with random weights, against the same written plainly: both must say the same, then they run in turns. Beside
it the time that the products alone would take, and seconds from a new caption to its pictures through the service.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks.plain_heatmaps import Layers, PlainHeatmaps
from benchmarks.report import Figure, report
from index_build.storybook.captions import article
from index_build.storybook.world import OBJECTS
from index_build.workers import n_cores
from sparc_core.attribution import CrossModal, Looks, Method, heatmaps, look_for
from sparc_core.attribution.looks import join
from sparc_core.backbones.clip import ClipImage, ClipText
from sparc_core.backbones.features import native_precision, unit_features
from sparc_core.backbones.geometry import Geometry
from sparc_core.backbones.pictures import PictureInput
from sparc_core.backbones.vision import TransformersImage
from sparc_core.model import Sparc, SparcConfig

IMAGE_STREAMS = ("clip_img", "dino")
WIDTHS = {"dino": 768, "clip_img": 512, "clip_txt": 512}
N_LATENTS, K = 8192, 64
CAPTIONS = [f"a {who} runs after {what} in the park" for who in ("dog", "girl") for what in ("it", "me", "a cat", "us")]
PRODUCTS = 10
"""How often the product is computed whose speed is the limit."""

ASKED = {"warm": ">= 10", "cold": ">= 2", "all_blocks": ">= 4"}

Call = Callable[[], object]
Maps = dict[str, torch.Tensor]
"""By image stream."""


class InFloat32:
    """A tower that computes in float32, whatever those who call it ask for."""

    def __init__(self, tower: Any, device: torch.device) -> None:
        self._tower, self._device = tower, device

    def __getattr__(self, name: str) -> Any:
        """What the tower has; what it runs, without autocast."""
        own = getattr(self._tower, name)
        if name not in ("features", "trunk", "head", "finish"):
            return own

        def run(*args: Any) -> Any:
            with torch.autocast(self._device.type, enabled=False):
                return own(*args)

        return run


class Ours(NamedTuple):
    """Both image streams' heatmaps, as the service computes them."""

    towers: Mapping[str, Any]
    sparc: Sparc

    def look(self, method: Method, n_blocks: int | None, x: Mapping[str, torch.Tensor]) -> dict[str, Looks]:
        """Preprocessed pictures, made ready for any caption."""
        return {stream: look_for(method, self.towers[stream], x[stream], n_blocks) for stream in IMAGE_STREAMS}

    def warm(self, method: Method, ids: torch.Tensor, looks: Mapping[str, Looks]) -> Maps:
        """Of one caption, or of one for each picture; captions are read once, without gradients."""
        text = self.sparc.logits("clip_txt", unit_features(self.towers["clip_txt"], ids))
        target = CrossModal(K, {"clip_txt": text}, "clip_txt")
        return {
            stream: heatmaps(method, self.sparc, stream, self.towers[stream], looks[stream], target).values
            for stream in IMAGE_STREAMS
        }

    def cold(self, method: Method, n_blocks: int | None, ids: torch.Tensor, x: Mapping[str, torch.Tensor]) -> Maps:
        """The same of pictures that were not looked at before."""
        return self.warm(method, ids, self.look(method, n_blocks, x))


class Side(NamedTuple):
    """Something to be timed.

    Attributes:
        what: It, in words.
        call: It.
        n_pairs: How many (caption, picture) pairs it serves.
        plain: The plain side's blocks that it is compared with; None without a comparison.
        native: Whether towers run in native precision.
    """

    what: str
    call: Call
    n_pairs: int
    plain: Layers | None = None
    native: bool = True


class Contest:
    """Random towers, pictures and captions, and both sides over them."""

    def __init__(self, device: torch.device, n_pictures: int) -> None:
        """Args: where to compute, and how many pictures our side gets at once."""
        import open_clip
        from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

        torch.manual_seed(0)
        clip = open_clip.create_model("ViT-B-16", pretrained=None).eval()
        dino = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(patch_size=14, num_register_tokens=4)).eval()
        sparc = Sparc(SparcConfig(WIDTHS, N_LATENTS, K)).to(device)
        self._plain = PlainHeatmaps(*(deepcopy(model).to(device) for model in (clip, dino, sparc)))
        for model in (clip, dino, sparc):
            model.requires_grad_(False)
        picture_input = PictureInput(Geometry.crop(224, 224, 16), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
        towers = {
            "clip_txt": ClipText("ViT-B-16#text", clip, open_clip.get_tokenizer("ViT-B-16")).to(device),
            "clip_img": ClipImage("ViT-B-16#image", clip, picture_input).to(device),
            "dino": TransformersImage("ViT-B/14", dino, Geometry.crop(224, 224, 14), None, "cls").to(device),
        }
        self._ours = Ours(towers, sparc)
        self._in_float32 = Ours({name: InFloat32(tower, device) for name, tower in towers.items()}, sparc)
        self._x = {stream: torch.randn(n_pictures, 3, 224, 224).to(device) for stream in IMAGE_STREAMS}
        self._ids = towers["clip_txt"].preprocess(CAPTIONS).to(device)

    def sides(self) -> dict[str, Side]:
        """Everything to be timed, by name."""
        return {
            "plain_last": Side("plainly, last block", partial(self._pair, "last"), 1, native=False),
            "plain_all": Side("plainly, all blocks", partial(self._pair, "all"), 1, native=False),
            **self._relevance(self._ours, native=True),
            **{f"{name}_f32": side for name, side in self._relevance(self._in_float32, native=False).items()},
            **self._others(),
        }

    def _pair(self, layers: Layers) -> Maps:
        """The first caption in the first picture, plainly."""
        return self._plain(self._ids[:1], self._x["clip_img"][:1], self._x["dino"][:1], layers)

    def _relevance(self, ours: Ours, native: bool) -> dict[str, Side]:
        method, ids, x, n = Method.relevance, self._ids[:1], self._x, len(self._x["dino"])
        note = "" if native else ", float32"
        warm = partial(ours.warm, method, ids, ours.look(method, 1, x))
        cold, whole = (partial(ours.cold, method, n_blocks, ids, x) for n_blocks in (1, None))
        return {
            "warm": Side(f"last block, pictures looked at before{note}", warm, n, "last", native),
            "cold": Side(f"last block, new pictures{note}", cold, n, "last", native),
            "all_blocks": Side(f"all blocks, new pictures{note}", whole, n, "all", native),
        }

    def _others(self) -> dict[str, Side]:
        ours, x, n = self._ours, self._x, len(self._x["dino"])
        kept = ours.look(Method.relevance, 1, x)
        same = {stream: join([looks.rows()[0]] * len(CAPTIONS)) for stream, looks in kept.items()}
        captions = partial(ours.warm, Method.relevance, self._ids, same)
        method, ids = Method.glances, self._ids[:1]
        warm = partial(ours.warm, method, ids, ours.look(method, None, x))
        cold = partial(ours.cold, method, None, ids, x)
        return {
            "captions": Side(
                "last block, new captions of one picture looked at before", captions, len(CAPTIONS), "last"
            ),
            "glances_warm": Side("glances, two looks, pictures looked at before", warm, n),
            "glances_cold": Side("glances, two looks, new pictures", cold, n),
        }


class Products(TorchDispatchMode):
    """Counts products inside, a multiplication and an addition as two. torch's own counter does not see all gradients.

    Attributes:
        gflop: Thousands of millions so far.
    """

    gflop = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Called by torch in place of each operation."""
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        count = flop_registry.get(func._overloadpacket)
        self.gflop += count(*args, **kwargs, out_val=out) / 1e9 if count else 0
        return out


def counted(call: Call) -> tuple[Any, float]:
    """What a call returns, and its GFLOP."""
    with Products() as products:
        out = call()
    return out, products.gflop


def check(found: Mapping[str, Maps]) -> None:
    """Both sides found the same, in float32."""
    for ours, plain in (("warm_f32", "plain_last"), ("cold_f32", "plain_last"), ("all_blocks_f32", "plain_all")):
        for stream, expected in found[plain].items():
            values = found[ours][stream][0].flatten()
            torch.testing.assert_close(values / values.sum(), expected / expected.sum(), rtol=1e-3, atol=1e-6)


def products(device: torch.device) -> dict[str, Call]:
    """The largest product of a block, in native precision and in float32."""
    x, weight = torch.randn(2048, 768, device=device), torch.randn(3072, 768, device=device)
    with native_precision(device):
        native = F.linear(x, weight).dtype

    def run(x: torch.Tensor, weight: torch.Tensor) -> None:
        for _ in range(PRODUCTS):
            F.linear(x, weight)

    return {
        "native": partial(run, x.to(native), weight.to(native)),
        "float32": partial(run, x, weight),
    }


def in_turns(calls: Mapping[str, Call], rounds: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values) for name, values in seconds.items()}


def contest(device: torch.device, n_pictures: int, rounds: int) -> dict[str, Figure]:
    """Ours against the plain side, and both against their products."""
    sides, limits = Contest(device, n_pictures).sides(), products(device)
    if rounds == 1:  # glances have nothing to be compared with, and take long
        sides = {name: side for name, side in sides.items() if not name.startswith("glances")}
    calls = {**{name: side.call for name, side in sides.items()}, **limits}
    firsts = {name: counted(call) for name, call in calls.items()}  # these also allocate
    check({name: maps for name, (maps, _) in firsts.items() if name in sides})
    seconds = in_turns(calls, rounds, device)
    speeds = {name: firsts[name][1] / seconds[name] for name in limits}
    each = {name: seconds[name] / side.n_pairs for name, side in sides.items()}
    figures = {
        f"{name}_ratio": Figure(
            f"{side.what}: plain / ours", each[f"plain_{side.plain}"] / each[name], ASKED.get(name, "")
        )
        for name, side in sides.items()
        if side.plain
    }
    for name, speed in speeds.items():
        figures[f"{name}_gflops"] = Figure(f"a product as in the blocks, {name}", speed, "", "GFLOP/s")
    for name, side in sides.items():
        work = firsts[name][1] / side.n_pairs
        limit = work / speeds["native" if side.native else "float32"]
        figures[f"{name}_s"] = Figure(f"{side.what}: a (caption, picture)", each[name], "", "s")
        figures[f"{name}_limit_s"] = Figure(f"    its products, {work:.3g} GFLOP, at that speed", limit, "", "s")
    return figures


def service(bundle_path: Path, repeats: int) -> dict[str, Figure]:
    """Seconds from a new caption to its first picture and to all twelve, both towers, through the service's code."""
    import asyncio

    from server.app import open_all
    from server.schemas import HeatmapRequest
    from server.settings import Settings

    resources, explorer = open_all(Settings(bundle=bundle_path))
    firsts, totals = [], []

    async def ask(caption: str) -> None:
        begun = time.perf_counter()
        plan = await explorer.plan_heatmaps(HeatmapRequest(caption=caption, n_items=12))
        for i, pictures in enumerate(explorer.heatmaps.chunks(plan)):
            await explorer.heatmap_chunk(plan, pictures)
            if i == 0:
                firsts.append(time.perf_counter() - begun)
        totals.append(time.perf_counter() - begun)

    async def all_captions() -> None:
        await explorer.warm_up()
        for i in range(repeats):
            await ask(f"{article(OBJECTS[i % len(OBJECTS)].nouns[0])} next to a red balloon")

    asyncio.run(all_captions())
    resources.close()
    what = "caption -> heatmaps of {}, both towers of the storybook"
    return {
        "first_s": Figure(what.format("the first picture"), float(np.median(firsts)), "<= 0.5 s", "s"),
        "twelve_s": Figure(what.format("12 pictures"), float(np.median(totals)), "<= 1.5 s", "s"),
    }


def main(
    device: Annotated[str, typer.Option(help="cpu or cuda, for the contest.")] = "cpu",
    bundle: Annotated[Path, typer.Option(help="A storybook bundle, for the service.")] = Path("bundles/storybook"),
    skip_service: Annotated[bool, typer.Option("--skip-service", help="Only the contest.")] = False,
    quick: Annotated[bool, typer.Option(help="Fewer pictures, one round.")] = False,
) -> None:
    """The contest, then the service."""
    figures = contest(torch.device(device), 2 if quick else 4, 1 if quick else 3)
    if not skip_service:
        figures |= service(bundle, 5 if quick else 15)
    report(f"heatmaps on {device}, {n_cores()} cores", figures)


if __name__ == "__main__":
    typer.run(main)
