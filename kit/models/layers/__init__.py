"""Layers that encoders and decoders share: upsampling, batch norm and its folding, depthwise convolutions."""
