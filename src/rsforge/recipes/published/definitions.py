"""How the evaluations of images measure figures that the field measures in more than one way."""

from __future__ import annotations

from collections.abc import Iterable

DEFINITIONS = {
    "psnr_db": "mean over images of the PSNR of each, images in [0, 1] with a range of 1, at most 58.9 dB",
    "ssim": "mean over images in [0, 1], Gaussian window of 11 pixels and sigma 1.5, whole windows alone",
    "lpips": (
        "VGG16 with the heads of version 0.1, images in [-1, 1]; evaluators that give it images in [0, 1] follow the "
        "other convention, whose figures are lower by about 0.05"
    ),
    "fid": "Inception v3 of TensorFlow as torch-fidelity and pytorch-fid have it, 2048 features, images in 8 bits",
    "kid": "features as of fid, cubic kernel, subsets of at most 1000 images",
    "kernel_distance": "means of relu3_3 of VGG16, the kernel of KID, all images at once, intervals by the jackknife "
    "over samples and over scenes, or images where fewer than five scenes are known",
    "kernel_distance_to_reconstructions": "the same, to what the autoencoder makes of the images",
}
SPECTRAL = {
    "sam_deg": "mean angle over all valid pixels",
    "rmse": "over all bands and valid pixels together, in the unit of the files",
    "psnr_db": (
        "of the error of all bands and valid pixels together, over the range of the training values; not MPSNR, which "
        "is mpsnr_db"
    ),
    "ssim": "mean over bands and whole windows of 11 pixels, Gaussian with sigma 1.5",
    "ergas": "over all valid pixels together, 100 by the scale",
    "mrae": "relative to the value, but to no less than 1 % of the mean magnitude of its patch",
    "mpsnr_db": "mean over patches and bands of the PSNR of each, for the peak that is named",
    "mean_psnr_db": "mean over patches of the PSNR of each, for the peak that is named; values are not clipped",
    "mean_sam_deg": "mean over patches of the mean angle of each",
    "mean_rmse": "mean over patches of the RMSE of each, in the unit of the files",
    "mean_mrae": "mean over patches of the error of each relative to the value itself; none where a value is 0",
    "mean_ergas": "mean over patches of the ERGAS of each",
    "cc": "mean over patches and bands of the correlation of each",
}


def define_figures(names: Iterable[str], *, spectral: bool = False) -> dict[str, str]:
    """The definitions of those of the figures ``names`` that have several in the field."""
    known = SPECTRAL if spectral else DEFINITIONS
    return {name: known[name] for name in names if name in known}
