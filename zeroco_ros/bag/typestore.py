# Copyright 2026 zeroco_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Messages as objects: CDR bytes decoded with the definitions that the bag brings along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rosbags.typesys import get_types_from_idl, get_types_from_msg, get_typestore, Stores
from rosbags.typesys.store import Typestore

from zeroco_ros.bag.records import Definition
from zeroco_ros.errors import BagError

ROS_TYPES = get_typestore(Stores.LATEST)
_IDL_PART = "=" * 80 + "\nIDL: "


class Decoder:
    """
    Decodes the messages of one bag.

    definitions: message type -> definition text, as newer bags carry it. A type without one is
    looked up among the types that ROS 2 itself comes with.
    """

    def __init__(self, definitions: Mapping[str, Definition] | None = None) -> None:
        self._definitions = dict(definitions or {})
        self._stores: dict[str, Typestore] = {}

    def decode(self, data: bytes, message_type: str) -> Any:
        """
        Return the message as an object with the fields of its definition.

        Raises BagError for a type that nobody defines and for bytes that do not fit the type.
        """
        if message_type not in self._stores:
            self._stores[message_type] = self._store(message_type)
        try:
            return self._stores[message_type].deserialize_cdr(data, message_type)
        except Exception as error:  # generated code stumbles over short data in many ways
            raise BagError(
                f"a {message_type} of {len(data)} bytes cannot be decoded: it is damaged"
            ) from error

    def _store(self, message_type: str) -> Typestore:
        definition = self._definitions.get(message_type)
        if definition is None or not definition.text:
            if message_type in ROS_TYPES.fielddefs:
                return ROS_TYPES
            raise BagError(
                f"message type {message_type} is unknown and the bag does not define it"
            )
        store = get_typestore(Stores.EMPTY)
        try:
            types = _parsed(definition, message_type)
            store.register({k: v for k, v in types.items() if k not in store.fielddefs})
        except Exception as error:  # the parser has its own family of errors
            raise BagError(f"the bag's definition of {message_type} is unreadable") from error
        return store


def _parsed(definition: Definition, message_type: str) -> dict[str, Any]:
    """Type name -> fields, for the type and everything inside it."""
    if definition.syntax != "ros2idl":
        return dict(get_types_from_msg(definition.text, message_type))
    parts = definition.text.split(_IDL_PART)
    if len(parts) == 1:
        return dict(get_types_from_idl(definition.text))
    types: dict[str, Any] = {}
    for part in parts[1:]:
        _, _, text = part.partition("\n")
        types.update(get_types_from_idl(text))
    return types
