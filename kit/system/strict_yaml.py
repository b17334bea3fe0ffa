"""YAML whose mappings have each key once, as the standard says; PyYAML would drop all but the last."""

import yaml


class StrictLoader(yaml.SafeLoader):
    """Plain YAML of text, numbers, lists and mappings; a key that is there twice is an error."""

    @classmethod
    def read(cls, text: str) -> object:
        """The content of a document. Raises yaml.YAMLError."""
        loader = cls(text)
        try:
            return loader.get_single_data()
        except ValueError as error:  # of a tag such as !!int
            raise yaml.YAMLError(str(error)) from error
        finally:
            loader.dispose()

    def compose_mapping_node(self, anchor):
        """The node of a mapping whose keys are all different, except for `<<`, which merges mappings."""
        node, names = super().compose_mapping_node(anchor), []
        for key, _ in node.value:
            if key.value in names and key.value != "<<":
                raise yaml.composer.ComposerError(None, None, f"{key.value!r} is there twice", key.start_mark)
            names.append(key.value)
        return node
