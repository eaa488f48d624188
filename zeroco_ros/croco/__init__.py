"""The backbone: CroCo's encoder and cross-attending decoder, in PyTorch only.

`model.CroCo` turns images into tokens and pairs of tokens into match descriptors, `checkpoint`
reads and writes model files, `pretraining` is cross-view completion.
"""
