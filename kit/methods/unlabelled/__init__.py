"""What methods share about unlabelled images: what is pasted over them, which labels are sure, who gives them.
Of `kit.methods`, imports nothing.
"""
