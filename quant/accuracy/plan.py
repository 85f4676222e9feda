"""Which rows `make accuracy` has: recipes by kind of network and bits, chosen so that the whole takes under 90 minutes
on two cores."""

from quant.accuracy.method import ORT_CHANNEL, ORT_TENSOR, Method

FASHION, STRESS, IMAGENET = "Fashion-MNIST", "stress", "ImageNet"
Bits = tuple[int, int]

ROWS: dict[str, dict[Bits, str]] = {
    FASHION: {
        (8, 8): """layerwise layerwise+bc pow2 pow2+rapq pow2-channel pow2-channel+sum+bc pow2-msqe-channel wes wes+bc
                   wes+sum wes+sum+bc wes+phase wes+cle+bc wes+dfq wes+dfq+free auto channelwise channelwise+bc
                   channelwise+sum""",
        (6, 8): """layerwise pow2-channel+sum+bc wes wes+bc wes+sum auto channelwise channelwise+bc
                   channelwise+sum""",
        (4, 8): """layerwise pow2 pow2-channel pow2-channel+sum+bc pow2-msqe-channel pow2-channel+sum+rapq+bc wes
                   wes+bc wes+sum auto wes+phase wes+cle+bc channelwise channelwise+bc channelwise+sum""",
    },
    STRESS: {(8, 8): "layerwise layerwise+cle+bc wes wes+bc wes+cle+bc auto channelwise"},
    IMAGENET: {
        (8, 8): """layerwise layerwise+bc pow2 pow2-channel+sum+bc wes wes+bc wes+sum wes+sum+bc wes+cle+bc auto
                   channelwise channelwise+sum""",
        (6, 8): "wes auto channelwise channelwise+sum",
        (4, 8): """pow2-channel+sum+bc wes wes+bc wes+cle+bc wes+phase wes+sum auto channelwise channelwise+bc
                   channelwise+sum""",
    },
}
BASELINES = {FASHION: (ORT_TENSOR, ORT_CHANNEL), STRESS: (), IMAGENET: (ORT_TENSOR, ORT_CHANNEL)}


def methods(kind: str) -> list[Method]:
    """The rows of one kind of network, in the order of its tables."""
    own = [Method(recipe, *bits) for bits, recipes in ROWS[kind].items() for recipe in recipes.split()]
    return own + [Method(name) for name in BASELINES[kind]]
