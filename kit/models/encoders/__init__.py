"""timm's networks behind one contract: images in, four maps and attention scores out; and their pretrained weights."""
