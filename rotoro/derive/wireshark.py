"""A Wireshark dissector in Lua: what the PDUs are is told as tables, read off the declarations.

Use: `tshark -X lua_script:spec/rotoro.lua ...`, or put the file into Wireshark's plugin folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address

from rotoro.wire.pdu import HEADER_LENGTH, PDUS, Layout, Part, Pdu, Wire
from rotoro.wire.shape import Kind, Shape, every_pdu, in_header, parts_of, shape

PORTS = (323, 3323)
"""RTR's own port, and the one for those who may not open it."""

_OPENING = """\
-- Derived from rotoro/wire by `python -m rotoro.derive`; do not edit.
local rotoro = Proto("rotoro", "Rotoro and RPKI-to-Router")
local f, part, pdus = {}, {}, {}
f.version = ProtoField.uint8("rotoro.version", "version")
f.type = ProtoField.uint8("rotoro.type", "type")
f.length = ProtoField.uint32("rotoro.length", "length")
"""

_READING = """\
rotoro.fields = f

local show

-- One field at a place; the place behind it, or nil where the octets end too early.
local function show_field(b, at, tree, field, state)
  local size, left = field.size or 0, b:len() - at
  if field.when and math.floor(state.flags / field.when) % 2 == 0 then return at end
  local count = nil
  if field.prefix then
    if left < field.prefix then return nil end
    count = b(at, field.prefix):uint()
    at, left = at + field.prefix, left - field.prefix
  end
  if field.kind == "octets" then
    size = count
  elseif field.kind == "rest" then
    size = left
  elseif field.kind == "numbers" then
    for _ = 1, count or math.floor(left / size) do
      if b:len() - at < size then return nil end
      tree:add(field.f, b(at, size))
      at = at + size
    end
    return at
  elseif field.kind == "parts" then
    local done = 0
    while done ~= count and (count or at < b:len()) do
      local node = tree:add(b(at), field.name .. " " .. done)
      local behind = show(b, at, node, part[field.part], state)
      if not behind or behind == at then return nil end
      node:set_len(behind - at)
      at, done = behind, done + 1
    end
    return at
  end
  if left < size then return nil end
  if field.keep then state.flags = b(at, size):uint() end
  if field.f and size > 0 then tree:add(field.f, b(at, size)) end
  return at + size
end

show = function(b, at, tree, fields, state)
  for _, field in ipairs(fields) do
    local behind = show_field(b, at, tree, field, state)
    if not behind then
      tree:append_text(" [cut short at " .. (field.name or "zero") .. "]")
      return nil
    end
    at = behind
  end
  return at
end

local function dissect(b, pinfo, tree)
  local pdu = pdus[b(0, 2):uint()] or { name = "Unknown", head = {}, body = {} }
  pinfo.cols.protocol = "Rotoro"
  pinfo.cols.info:append(" " .. pdu.name)
  local node, state = tree:add(rotoro, b(), pdu.name), { flags = 0 }
  node:add(f.version, b(0, 1))
  node:add(f.type, b(1, 1))
  show(b(2, 2):tvb(), 0, node, pdu.head, state)
  node:add(f.length, b(4, 4))
  show(b, 8, node, pdu.body, state)
  return b:len()
end

local function length(b, pinfo, at)
  return math.max(b(at + 4, 4):uint(), 8)
end

function rotoro.dissector(b, pinfo, tree)
  pinfo.cols.info = ""
  return dissect_tcp_pdus(b, tree, 8, length, dissect)
end
"""


def dissector() -> str:
    """The whole Lua file."""
    assert HEADER_LENGTH == 8
    parts = dict.fromkeys(part for pdu in every_pdu() for part in parts_of(pdu).values())
    lines = [_OPENING]
    for owner in (*every_pdu(), *parts):
        lines += _declarations(owner)
    lines += [f"part.{part.__name__} = {_table(part, _names(part, False))}" for part in parts]
    lines += [f"local {pdu.__name__} = {_pdu(pdu)}" for pdu in every_pdu()]
    lines += [f"pdus[{version << 8 | number:#06x}] = {pdu.__name__}" for (version, number), pdu in PDUS.items()]
    adding = [f'DissectorTable.get("tcp.port"):set({port}, rotoro)' for port in PORTS[:1]]
    adding += [f'DissectorTable.get("tcp.port"):add({port}, rotoro)' for port in PORTS[1:]]
    return "\n".join([*lines, _READING, *adding]) + "\n"


def _declarations(owner: type[Layout]) -> Iterator[str]:
    for name, wire in owner.wires.items():
        form = shape(owner, name)
        if form.kind is not Kind.ENTRIES and not _carries_rows(owner, name):
            abbreviation = f'"rotoro.{owner.__name__.lower()}.{name}", "{name}"'
            yield f"f.{owner.__name__}_{name} = ProtoField.{_type(form)}({abbreviation}{_value_strings(wire)})"


def _type(form: Shape) -> str:
    if form.kind in (Kind.NUMBER, Kind.NUMBERS, Kind.COUNTED_NUMBERS):
        return f"uint{8 * form.size}"
    return {IPv4Address: "ipv4", IPv6Address: "ipv6", str: "string"}.get(form.value, "bytes")


def _value_strings(wire: Wire) -> str:
    if wire.names is None:
        return ""
    return ", base.DEC, {" + ", ".join(f'[{value.value}] = "{value.name}"' for value in wire.names) + "}"


def _carries_rows(owner: type[Layout], name: str) -> bool:
    return name == "rows" and issubclass(owner, Pdu) and owner.row is not None


def _names(owner: type[Layout], header: bool) -> list[str]:
    return list(in_header(owner, header))


def _pdu(pdu: type[Pdu]) -> str:
    head, body = _table(pdu, _names(pdu, True)), _table(pdu, _names(pdu, False))
    return f'{{ name = "{pdu.title}", head = {head}, body = {body} }}'


def _table(owner: type[Layout], names: Iterable[str]) -> str:
    fields = [f"\n  {{ {', '.join(_field(owner, name))} }}," for name in names]
    return "{" + "".join(fields) + ("\n}" if fields else "}")


def _field(owner: type[Layout], name: str) -> Iterator[str]:
    """The Lua table of one field, item by item."""
    wire, form = owner.laid_out[name], shape(owner, name)
    repeated: type[Part] | None = owner.row if _carries_rows(owner, name) else wire.entry  # type: ignore[attr-defined]
    yield f'name = "{name}"'
    if form.prefix:
        yield f"prefix = {form.prefix}"
    if form.size:
        yield f"size = {form.size}"
    if wire.when:
        yield f"when = {int(wire.when)}"
    if repeated is not None:
        yield f'kind = "parts", part = "{repeated.__name__}"'
        return
    kinds = {Kind.REST: "rest", Kind.COUNTED_OCTETS: "octets", Kind.NUMBERS: "numbers", Kind.COUNTED_NUMBERS: "numbers"}
    if form.kind in kinds:
        yield f'kind = "{kinds[form.kind]}"'
    if not wire.reserved:
        yield f"f = f.{owner.__name__}_{name}"
    if name == "flags" and _carries_rows(owner, "rows"):
        yield "keep = true"
