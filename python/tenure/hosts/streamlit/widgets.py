"""Widgets in cached functions: which ones a build met, what their values are now, and how they are put out again.

To the engine a widget is an observed input: its id and its present value complete the key of a call. Here is only what
Streamlit must be asked and told, so that a hit leaves a session as a run of the function would have left it: the same
ids are registered, with the same callbacks, and the front end is told of a value that the session has set itself.

Why are the values read, and not registered, before it is known whether the call is a hit?
    Registering tells Streamlit that a widget is on the page. A widget that stands in a branch which this session's
    values do not take must not appear there.

Why is the place observed too?
    Streamlit tells equal widgets on two pages, in the body and in the sidebar, and in two forms apart. What was
    recorded in one of them is not what a run would put into another: there the function runs once more.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from streamlit.delta_generator_singletons import get_dg_singleton_instance
from streamlit.elements.lib import utils
from streamlit.elements.lib.form_utils import current_form_id
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import ScriptRunContext
from streamlit.runtime.scriptrunner_utils import script_run_context
from streamlit.runtime.state import SessionState, widgets
from streamlit.runtime.state.common import TESTING_KEY, RegisterWidgetResult, WidgetMetadata, user_key_from_element_id

_REFUSED = ("file_uploader", "camera_input")


class WidgetError(StreamlitAPIException, ValueError):
    """A widget that cannot stand in a cached function."""


class Inputs:
    """The widgets a build observed. Equal where the widgets are the same, whatever their values."""

    __slots__ = ("_ids", "metadata")

    def __init__(self, metadata: dict[str, WidgetMetadata[Any]]) -> None:
        self._ids = tuple(sorted(metadata))
        self.metadata = metadata

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Inputs) and self._ids == other._ids

    def __hash__(self) -> int:
        return hash(self._ids)

    def __iter__(self) -> Any:
        return ((widget, self.metadata[widget]) for widget in self._ids)


class Seen:
    """What one build has put on the page that has an identity there: widgets, and elements with ids."""

    __slots__ = ("elements", "for_tests", "widgets")

    def __init__(self) -> None:
        self.elements: list[tuple[str, str]] = []
        self.widgets: dict[str, WidgetMetadata[Any]] = {}
        self.for_tests: dict[str, Any] = {}

    def close(self, ctx: ScriptRunContext) -> None:
        """Keeps what AppTest knows of these widgets, so that a test can use them where it meets only a hit."""
        with ctx.session_state._lock:
            state = ctx.session_state._state
            try:
                known = state[TESTING_KEY]
            except KeyError:
                return
            self.for_tests = {widget: known[widget] for widget in self.widgets if widget in known}


def refuse(element_type: str) -> None:
    """Raises for the widgets whose values belong to one session's upload."""
    if element_type in _REFUSED:
        raise WidgetError(
            f"`st.{element_type}` cannot be used in a cached function: an upload belongs to the session that made it, "
            "and a cached resource may be shared by all. Call it outside and pass the file as an argument, as in "
            f'`load(st.{element_type}("File"))`.'
        )


def observe(ctx: ScriptRunContext | None, inputs: Inputs) -> object:
    """The place, and the ids and present values of these widgets, for the session of `ctx`."""
    if ctx is None:
        return None, tuple((widget, metadata.deserializer(None)) for widget, metadata in inputs)
    with ctx.session_state._lock:
        state = ctx.session_state._state
        return _place(ctx), tuple((widget, _value(ctx, state, metadata)) for widget, metadata in inputs)


def _place(ctx: ScriptRunContext) -> tuple[str, int | None, str]:
    """The page, the part of it and the form that a widget would stand in."""
    # Up to Streamlit 1.57 on the context, from 1.58 on beside it.
    state = ctx if hasattr(ctx, "active_script_hash") else script_run_context.ThreadState.get()
    main = get_dg_singleton_instance().main_dg
    return str(state.active_script_hash), main._active_dg._root_container, current_form_id(main)


def _value(ctx: ScriptRunContext, state: SessionState, metadata: WidgetMetadata[Any]) -> Any:
    key = user_key_from_element_id(metadata.id)
    for name in (metadata.id, key):
        if name is not None and name in state:
            return state[name]
    if getattr(metadata, "bind", None) is not None:
        # Its first value stands in the page's address, and only registering reads it from there.
        return widgets.register_widget_from_metadata(metadata, ctx).value
    return metadata.deserializer(None)


Values = dict[str, tuple[WidgetMetadata[Any], RegisterWidgetResult[Any]]]
"""Widgets as they are registered in this run, by id."""


def register(ctx: ScriptRunContext, seen: Seen) -> Values:
    """Registers what a build put on the page, as if it ran now."""
    fragment = _fragment(ctx)
    values: Values = {}
    for element_type, element in seen.elements:
        utils._register_element_id(ctx, element_type, element)
    for widget, metadata in seen.widgets.items():
        now = dataclasses.replace(metadata, fragment_id=fragment)
        values[widget] = now, widgets.register_widget_from_metadata(now, ctx)
    for widget, known in seen.for_tests.items():
        utils.save_for_app_testing(ctx, widget, known)
    return values


def for_session(messages: list[Any], values: Values) -> list[Any]:
    """The messages with a value for the front end exactly where this session's value came from elsewhere."""
    return [_for_session(message, values) for message in messages]


def set_here(parts: list[tuple[Any, list[Any]]]) -> set[int]:
    """The identities of the elements that carry such a value."""
    return {
        id(message.message)
        for _, messages in parts
        for message in messages
        if getattr(message.message, "set_value", False)
    }


def _fragment(ctx: ScriptRunContext) -> str | None:
    # Up to Streamlit 1.57 on the context, from 1.58 on beside it.
    if hasattr(ctx, "current_fragment_id"):
        return str(ctx.current_fragment_id) if ctx.current_fragment_id else None
    return script_run_context.ThreadState.get().fragment_id


def _for_session(message: Any, values: Values) -> Any:
    element = message.message
    found = values.get(getattr(element, "id", ""))
    if found is None or "set_value" not in element.DESCRIPTOR.fields_by_name:
        return message
    metadata, result = found
    if not (result.value_changed or element.set_value):
        return message
    changed = type(element)()
    changed.CopyFrom(element)
    raw = [name for name in ("raw_values", "raw_value") if name in element.DESCRIPTOR.fields_by_name]
    field = raw[0] if raw and metadata.value_type.startswith("string") else "value"
    changed.ClearField(field)
    changed.set_value = result.value_changed
    value = metadata.serializer(result.value) if result.value_changed else None
    if isinstance(value, (list, tuple)):
        getattr(changed, field).extend(value)
    elif value is not None:
        setattr(changed, field, value)
    return dataclasses.replace(message, message=changed)
