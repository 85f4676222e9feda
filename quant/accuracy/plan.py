"""Which rows `make accuracy` has: recipes by kind of network and bits, chosen so that the whole takes under 90 minutes
on two cores."""

from quant.accuracy.method import ORT_CHANNEL, ORT_TENSOR, Method

FASHION, STRESS, IMAGENET = "Fashion-MNIST", "stress", "ImageNet"
Bits = tuple[int, int]

ROWS: dict[str, dict[Bits, str]] = {
    FASHION: {
        (8, 8): """layerwise layerwise+bc pow2 pow2+rapq pow2-channel pow2-channel+sum+bc pow2-msqe-channel wes
                   wes+shift2 wes+shift3 wes+half wes+bc wes+sum wes+sum+bc wes+phase wes+cle+bc wes+dfq+free
                   wes+asearch+bc auto sl8x1+bc sl8x1+reorder+bc sl4x4+bc channelwise channelwise+bc channelwise+sum""",
        (6, 8): "layerwise pow2-channel+sum+bc wes wes+bc auto channelwise channelwise+bc",
        (4, 8): """layerwise pow2-channel pow2-channel+sum+bc pow2-channel+sum+rapq+bc wes wes+half wes+bc wes+sum
                   wes+phase wes+cle+bc auto wes+ecr+bc wes+ecr-steps+bc wes+half+ecr-steps+bc sl4x4+bc
                   sl1x1+search+bc channelwise channelwise+bc channelwise+ecr+bc channelwise+ecr-steps+bc""",
        (4, 4): """layerwise pow2-channel+sum+bc pow2-channel+sum+rapq+bc wes+bc auto wes+ecr-steps+bc channelwise+bc
                   channelwise+ecr-steps+bc""",
        (2, 4): """pow2-channel pow2-channel+sum+rapq+bc pow2-msqe-channel+rapq-blocks wes+bc auto
                   wes+ecr-steps+bc channelwise+ecr-steps+bc""",
    },
    STRESS: {(8, 8): "layerwise layerwise+cle+bc wes wes+bc wes+cle+bc auto channelwise"},
    IMAGENET: {
        (8, 8): """layerwise layerwise+bc pow2 pow2-channel+sum+bc pow2-msqe-channel wes wes+half wes+bc wes+sum
                   wes+sum+bc wes+cle+bc wes+dfq+free auto sl8x1+reorder+bc channelwise channelwise+sum""",
        (6, 8): "wes auto channelwise channelwise+sum",
        (4, 8): """pow2-channel+sum+bc wes wes+bc wes+cle+bc wes+phase wes+half wes+sum auto wes+ecr wes+ecr+bc
                   wes+half+ecr+bc wes+ecr-steps+bc wes+half+ecr-steps+bc channelwise channelwise+bc
                   channelwise+ecr channelwise+ecr+bc channelwise+ecr-steps+bc""",
        (4, 4): "pow2-channel+sum+bc auto",
        (2, 4): "pow2-channel+sum+bc auto",
    },
}
BASELINES = {FASHION: (ORT_TENSOR, ORT_CHANNEL), STRESS: (), IMAGENET: (ORT_TENSOR, ORT_CHANNEL)}


def methods(kind: str) -> list[Method]:
    """The rows of one kind of network, in the order of its tables."""
    own = [Method(recipe, *bits) for bits, recipes in ROWS[kind].items() for recipe in recipes.split()]
    first = [method for method in own if method.bits == "W8A8"]
    return first + [Method(name) for name in BASELINES[kind]] + own[len(first) :]
