"""Tags: label id, material and distance of a pixel of a synthetic scene, packed into one integer."""

VOID, ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE = 0, 7, 8, 11, 12, 13, 17
LIGHT, SIGN, VEGETATION, TERRAIN, SKY, PERSON, RIDER = 19, 20, 21, 22, 23, 24, 25
CAR, TRUCK, BUS, TRAIN, MOTORCYCLE, BICYCLE = 26, 27, 28, 31, 32, 33
LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""Label ids of Cityscapes that scenes contain, without VOID."""

PLAIN, ROUGH, LEAF, GRASS, MASONRY, GLOW = range(6)
"""Materials: they set how much texture a surface gets; GLOW emits light."""

DEPTH_STEPS = 8
"""Tag units per metre; 12 bits reach 511 m, the distance of the sky."""
SKY_DEPTH = 4095


def tag_of(label: int, z: float, material: int = PLAIN) -> int:
    """Pack label id, distance in metres and material into one positive 32-bit integer."""
    return label | material << 8 | min(max(int(z * DEPTH_STEPS), 0), SKY_DEPTH) << 16
