-- Derived from rotoro/wire by `python -m rotoro.derive`; do not edit.
local rotoro = Proto("rotoro", "Rotoro and RPKI-to-Router")
local f, part, pdus = {}, {}, {}
f.version = ProtoField.uint8("rotoro.version", "version")
f.type = ProtoField.uint8("rotoro.type", "type")
f.length = ProtoField.uint32("rotoro.length", "length")

f.Hello_capabilities = ProtoField.uint16("rotoro.hello.capabilities", "capabilities")
f.HelloAck_capabilities = ProtoField.uint16("rotoro.helloack.capabilities", "capabilities")
f.TypeDefinition_type_number = ProtoField.uint16("rotoro.typedefinition.type_number", "type_number")
f.TypeDefinition_name = ProtoField.string("rotoro.typedefinition.name", "name")
f.IngressState_table = ProtoField.uint16("rotoro.ingressstate.table", "table")
f.IngressState_ingress = ProtoField.uint32("rotoro.ingressstate.ingress", "ingress")
f.IngressState_kind = ProtoField.uint8("rotoro.ingressstate.kind", "kind", base.DEC, {[1] = "BGP", [2] = "BMP", [3] = "MRT", [4] = "RTR", [5] = "FILE", [6] = "ROTORO"})
f.IngressState_view = ProtoField.uint8("rotoro.ingressstate.view", "view", base.DEC, {[0] = "ADJ_RIB_IN_PRE", [1] = "ADJ_RIB_IN_POST", [2] = "LOC_RIB", [3] = "ADJ_RIB_OUT_PRE", [4] = "ADJ_RIB_OUT_POST"})
f.IngressState_state = ProtoField.uint8("rotoro.ingressstate.state", "state", base.DEC, {[0] = "DOWN", [1] = "UP", [2] = "CLOSED"})
f.IngressState_parent = ProtoField.uint32("rotoro.ingressstate.parent", "parent")
f.IngressState_asn = ProtoField.uint32("rotoro.ingressstate.asn", "asn")
f.IngressState_bgp_id = ProtoField.uint32("rotoro.ingressstate.bgp_id", "bgp_id")
f.IngressState_distinguisher = ProtoField.uint64("rotoro.ingressstate.distinguisher", "distinguisher")
f.IngressState_address = ProtoField.bytes("rotoro.ingressstate.address", "address")
f.IngressState_name = ProtoField.string("rotoro.ingressstate.name", "name")
f.AttributeSets_table = ProtoField.uint16("rotoro.attributesets.table", "table")
f.AttributeSets_first = ProtoField.uint32("rotoro.attributesets.first", "first")
f.AttributeSets_lengths = ProtoField.uint16("rotoro.attributesets.lengths", "lengths")
f.AttributeSets_octets = ProtoField.bytes("rotoro.attributesets.octets", "octets")
f.Routes4_table = ProtoField.uint16("rotoro.routes4.table", "table")
f.Routes4_flags = ProtoField.uint8("rotoro.routes4.flags", "flags")
f.Routes4_ingress = ProtoField.uint32("rotoro.routes4.ingress", "ingress")
f.Routes4_time = ProtoField.uint64("rotoro.routes4.time", "time")
f.Routes4_tick = ProtoField.uint32("rotoro.routes4.tick", "tick")
f.Routes6_table = ProtoField.uint16("rotoro.routes6.table", "table")
f.Routes6_flags = ProtoField.uint8("rotoro.routes6.flags", "flags")
f.Routes6_ingress = ProtoField.uint32("rotoro.routes6.ingress", "ingress")
f.Routes6_time = ProtoField.uint64("rotoro.routes6.time", "time")
f.Routes6_tick = ProtoField.uint32("rotoro.routes6.tick", "tick")
f.TypedRecords_table = ProtoField.uint16("rotoro.typedrecords.table", "table")
f.TypedRecords_flags = ProtoField.uint8("rotoro.typedrecords.flags", "flags")
f.TypedRecords_type_number = ProtoField.uint16("rotoro.typedrecords.type_number", "type_number")
f.TypedRecords_ingress = ProtoField.uint32("rotoro.typedrecords.ingress", "ingress")
f.TypedRecords_time = ProtoField.uint64("rotoro.typedrecords.time", "time")
f.TypedRecords_count = ProtoField.uint32("rotoro.typedrecords.count", "count")
f.TypedRecords_rows = ProtoField.bytes("rotoro.typedrecords.rows", "rows")
f.Begin_table = ProtoField.uint16("rotoro.begin.table", "table")
f.Begin_kind = ProtoField.uint8("rotoro.begin.kind", "kind", base.DEC, {[0] = "SNAPSHOT", [1] = "DIFF"})
f.Begin_from_epoch = ProtoField.uint64("rotoro.begin.from_epoch", "from_epoch")
f.Begin_from_serial = ProtoField.uint64("rotoro.begin.from_serial", "from_serial")
f.Begin_epoch = ProtoField.uint64("rotoro.begin.epoch", "epoch")
f.Begin_serial = ProtoField.uint64("rotoro.begin.serial", "serial")
f.Commit_table = ProtoField.uint16("rotoro.commit.table", "table")
f.Commit_epoch = ProtoField.uint64("rotoro.commit.epoch", "epoch")
f.Commit_serial = ProtoField.uint64("rotoro.commit.serial", "serial")
f.Commit_count = ProtoField.uint64("rotoro.commit.count", "count")
f.Commit_digest = ProtoField.uint64("rotoro.commit.digest", "digest")
f.ConfigData_revision = ProtoField.uint64("rotoro.configdata.revision", "revision")
f.ConfigData_size = ProtoField.uint32("rotoro.configdata.size", "size")
f.ConfigData_offset = ProtoField.uint32("rotoro.configdata.offset", "offset")
f.ConfigData_digest = ProtoField.bytes("rotoro.configdata.digest", "digest")
f.ConfigData_text = ProtoField.bytes("rotoro.configdata.text", "text")
f.ConfigSet_flags = ProtoField.uint16("rotoro.configset.flags", "flags")
f.ConfigSet_sequence = ProtoField.uint64("rotoro.configset.sequence", "sequence")
f.ConfigSet_expected = ProtoField.uint64("rotoro.configset.expected", "expected")
f.ConfigSet_size = ProtoField.uint32("rotoro.configset.size", "size")
f.ConfigSet_offset = ProtoField.uint32("rotoro.configset.offset", "offset")
f.ConfigSet_digest = ProtoField.bytes("rotoro.configset.digest", "digest")
f.ConfigSet_text = ProtoField.bytes("rotoro.configset.text", "text")
f.ConfigResult_outcome = ProtoField.uint16("rotoro.configresult.outcome", "outcome")
f.ConfigResult_sequence = ProtoField.uint64("rotoro.configresult.sequence", "sequence")
f.ConfigResult_revision = ProtoField.uint64("rotoro.configresult.revision", "revision")
f.ConfigChanged_revision = ProtoField.uint64("rotoro.configchanged.revision", "revision")
f.ConfigChanged_digest = ProtoField.bytes("rotoro.configchanged.digest", "digest")
f.Params_capabilities = ProtoField.uint16("rotoro.params.capabilities", "capabilities")
f.Params_max_pdu = ProtoField.uint32("rotoro.params.max_pdu", "max_pdu")
f.Params_attribute_sets = ProtoField.uint32("rotoro.params.attribute_sets", "attribute_sets")
f.Params_keepalive = ProtoField.uint32("rotoro.params.keepalive", "keepalive")
f.Params_name = ProtoField.string("rotoro.params.name", "name")
f.Subscribe_table = ProtoField.uint16("rotoro.subscribe.table", "table")
f.Subscribe_mode = ProtoField.uint8("rotoro.subscribe.mode", "mode", base.DEC, {[0] = "SNAPSHOT", [1] = "FOLLOW", [2] = "STREAM"})
f.Subscribe_resume = ProtoField.uint8("rotoro.subscribe.resume", "resume")
f.Subscribe_families = ProtoField.uint8("rotoro.subscribe.families", "families", base.DEC, {[1] = "IPV4", [2] = "IPV6", [3] = "BOTH"})
f.Subscribe_scope = ProtoField.uint8("rotoro.subscribe.scope", "scope", base.DEC, {[0] = "ALL", [1] = "COVERING", [2] = "COVERED"})
f.Subscribe_epoch = ProtoField.uint64("rotoro.subscribe.epoch", "epoch")
f.Subscribe_serial = ProtoField.uint64("rotoro.subscribe.serial", "serial")
f.Subscribe_ingress = ProtoField.uint32("rotoro.subscribe.ingress", "ingress")
f.Subscribe_scope_length = ProtoField.uint8("rotoro.subscribe.scope_length", "scope_length")
f.Subscribe_scope_address = ProtoField.bytes("rotoro.subscribe.scope_address", "scope_address")
f.Unsubscribe_table = ProtoField.uint16("rotoro.unsubscribe.table", "table")
f.Keepalive_echo = ProtoField.uint16("rotoro.keepalive.echo", "echo")
f.Keepalive_token = ProtoField.uint64("rotoro.keepalive.token", "token")
f.Status_table = ProtoField.uint16("rotoro.status.table", "table")
f.Status_health = ProtoField.uint8("rotoro.status.health", "health", base.DEC, {[0] = "HEALTHY", [1] = "STALLED", [2] = "GONE"})
f.Status_end_of_rib = ProtoField.uint8("rotoro.status.end_of_rib", "end_of_rib")
f.Status_text = ProtoField.string("rotoro.status.text", "text")
f.Goodbye_reason = ProtoField.uint16("rotoro.goodbye.reason", "reason")
f.Goodbye_retry = ProtoField.uint32("rotoro.goodbye.retry", "retry")
f.Goodbye_text = ProtoField.string("rotoro.goodbye.text", "text")
f.SerialNotify_session = ProtoField.uint16("rotoro.serialnotify.session", "session")
f.SerialNotify_serial = ProtoField.uint32("rotoro.serialnotify.serial", "serial")
f.SerialQuery_session = ProtoField.uint16("rotoro.serialquery.session", "session")
f.SerialQuery_serial = ProtoField.uint32("rotoro.serialquery.serial", "serial")
f.CacheResponse_session = ProtoField.uint16("rotoro.cacheresponse.session", "session")
f.Ipv4Prefix_flags = ProtoField.uint8("rotoro.ipv4prefix.flags", "flags")
f.Ipv4Prefix_prefix_length = ProtoField.uint8("rotoro.ipv4prefix.prefix_length", "prefix_length")
f.Ipv4Prefix_max_length = ProtoField.uint8("rotoro.ipv4prefix.max_length", "max_length")
f.Ipv4Prefix_prefix = ProtoField.ipv4("rotoro.ipv4prefix.prefix", "prefix")
f.Ipv4Prefix_asn = ProtoField.uint32("rotoro.ipv4prefix.asn", "asn")
f.Ipv6Prefix_flags = ProtoField.uint8("rotoro.ipv6prefix.flags", "flags")
f.Ipv6Prefix_prefix_length = ProtoField.uint8("rotoro.ipv6prefix.prefix_length", "prefix_length")
f.Ipv6Prefix_max_length = ProtoField.uint8("rotoro.ipv6prefix.max_length", "max_length")
f.Ipv6Prefix_prefix = ProtoField.ipv6("rotoro.ipv6prefix.prefix", "prefix")
f.Ipv6Prefix_asn = ProtoField.uint32("rotoro.ipv6prefix.asn", "asn")
f.EndOfDataV0_session = ProtoField.uint16("rotoro.endofdatav0.session", "session")
f.EndOfDataV0_serial = ProtoField.uint32("rotoro.endofdatav0.serial", "serial")
f.EndOfData_session = ProtoField.uint16("rotoro.endofdata.session", "session")
f.EndOfData_serial = ProtoField.uint32("rotoro.endofdata.serial", "serial")
f.EndOfData_refresh = ProtoField.uint32("rotoro.endofdata.refresh", "refresh")
f.EndOfData_retry = ProtoField.uint32("rotoro.endofdata.retry", "retry")
f.EndOfData_expire = ProtoField.uint32("rotoro.endofdata.expire", "expire")
f.RouterKey_flags = ProtoField.uint8("rotoro.routerkey.flags", "flags")
f.RouterKey_key_id = ProtoField.bytes("rotoro.routerkey.key_id", "key_id")
f.RouterKey_asn = ProtoField.uint32("rotoro.routerkey.asn", "asn")
f.RouterKey_key_info = ProtoField.bytes("rotoro.routerkey.key_info", "key_info")
f.ErrorReport_code = ProtoField.uint16("rotoro.errorreport.code", "code")
f.ErrorReport_offending = ProtoField.bytes("rotoro.errorreport.offending", "offending")
f.ErrorReport_text = ProtoField.string("rotoro.errorreport.text", "text")
f.Aspa_flags = ProtoField.uint8("rotoro.aspa.flags", "flags")
f.Aspa_customer = ProtoField.uint32("rotoro.aspa.customer", "customer")
f.Aspa_providers = ProtoField.uint32("rotoro.aspa.providers", "providers")
f.TypeField_name = ProtoField.string("rotoro.typefield.name", "name")
f.TypeField_kind = ProtoField.uint8("rotoro.typefield.kind", "kind", base.DEC, {[1] = "BOOL", [2] = "U8", [3] = "U16", [4] = "U32", [5] = "U64", [6] = "ASN", [7] = "IP_ADDRESS", [8] = "PREFIX", [9] = "TIMESTAMP", [10] = "COMMUNITY", [11] = "EXTENDED_COMMUNITY", [12] = "LARGE_COMMUNITY", [13] = "AS_PATH", [14] = "STRING", [15] = "OCTETS", [16] = "RECORD"})
f.TypeField_repeated = ProtoField.uint8("rotoro.typefield.repeated", "repeated")
f.RouteRow4_prefix_length = ProtoField.uint8("rotoro.routerow4.prefix_length", "prefix_length")
f.RouteRow4_prefix = ProtoField.ipv4("rotoro.routerow4.prefix", "prefix")
f.RouteRow4_attributes = ProtoField.uint32("rotoro.routerow4.attributes", "attributes")
f.RouteRow4_path = ProtoField.uint32("rotoro.routerow4.path", "path")
f.RouteRow4_offset = ProtoField.uint32("rotoro.routerow4.offset", "offset")
f.RouteRow6_prefix_length = ProtoField.uint8("rotoro.routerow6.prefix_length", "prefix_length")
f.RouteRow6_prefix = ProtoField.ipv6("rotoro.routerow6.prefix", "prefix")
f.RouteRow6_attributes = ProtoField.uint32("rotoro.routerow6.attributes", "attributes")
f.RouteRow6_path = ProtoField.uint32("rotoro.routerow6.path", "path")
f.RouteRow6_offset = ProtoField.uint32("rotoro.routerow6.offset", "offset")
f.Diagnostic_line = ProtoField.uint32("rotoro.diagnostic.line", "line")
f.Diagnostic_column = ProtoField.uint32("rotoro.diagnostic.column", "column")
f.Diagnostic_message = ProtoField.string("rotoro.diagnostic.message", "message")
f.TableEntry_number = ProtoField.uint16("rotoro.tableentry.number", "number")
f.TableEntry_kind = ProtoField.uint8("rotoro.tableentry.kind", "kind", base.DEC, {[0] = "RPKI", [1] = "ROUTES", [2] = "TYPED"})
f.TableEntry_families = ProtoField.uint8("rotoro.tableentry.families", "families", base.DEC, {[1] = "IPV4", [2] = "IPV6", [3] = "BOTH"})
f.TableEntry_health = ProtoField.uint8("rotoro.tableentry.health", "health", base.DEC, {[0] = "HEALTHY", [1] = "STALLED", [2] = "GONE"})
f.TableEntry_type_number = ProtoField.uint16("rotoro.tableentry.type_number", "type_number")
f.TableEntry_count = ProtoField.uint64("rotoro.tableentry.count", "count")
f.TableEntry_epoch = ProtoField.uint64("rotoro.tableentry.epoch", "epoch")
f.TableEntry_serial = ProtoField.uint64("rotoro.tableentry.serial", "serial")
f.TableEntry_name = ProtoField.string("rotoro.tableentry.name", "name")
f.Counter_name = ProtoField.string("rotoro.counter.name", "name")
f.Counter_value = ProtoField.uint64("rotoro.counter.value", "value")
part.TypeField = {
  { name = "name", prefix = 1, kind = "octets", f = f.TypeField_name },
  { name = "kind", size = 1, f = f.TypeField_kind },
  { name = "repeated", size = 1, f = f.TypeField_repeated },
}
part.RouteRow4 = {
  { name = "prefix_length", size = 1, f = f.RouteRow4_prefix_length },
  { name = "prefix", size = 4, f = f.RouteRow4_prefix },
  { name = "attributes", size = 4, when = 1, f = f.RouteRow4_attributes },
  { name = "path", size = 4, when = 2, f = f.RouteRow4_path },
  { name = "offset", size = 4, when = 4, f = f.RouteRow4_offset },
}
part.RouteRow6 = {
  { name = "prefix_length", size = 1, f = f.RouteRow6_prefix_length },
  { name = "prefix", size = 16, f = f.RouteRow6_prefix },
  { name = "attributes", size = 4, when = 1, f = f.RouteRow6_attributes },
  { name = "path", size = 4, when = 2, f = f.RouteRow6_path },
  { name = "offset", size = 4, when = 4, f = f.RouteRow6_offset },
}
part.Diagnostic = {
  { name = "line", size = 4, f = f.Diagnostic_line },
  { name = "column", size = 4, f = f.Diagnostic_column },
  { name = "message", prefix = 2, kind = "octets", f = f.Diagnostic_message },
}
part.TableEntry = {
  { name = "number", size = 2, f = f.TableEntry_number },
  { name = "kind", size = 1, f = f.TableEntry_kind },
  { name = "families", size = 1, f = f.TableEntry_families },
  { name = "health", size = 1, f = f.TableEntry_health },
  { name = "zero", size = 1 },
  { name = "type_number", size = 2, f = f.TableEntry_type_number },
  { name = "count", size = 8, f = f.TableEntry_count },
  { name = "epoch", size = 8, f = f.TableEntry_epoch },
  { name = "serial", size = 8, f = f.TableEntry_serial },
  { name = "name", prefix = 1, kind = "octets", f = f.TableEntry_name },
}
part.Counter = {
  { name = "name", prefix = 1, kind = "octets", f = f.Counter_name },
  { name = "value", size = 8, f = f.Counter_value },
}
local Hello = { name = "Hello", head = {
  { name = "capabilities", size = 2, f = f.Hello_capabilities },
}, body = {} }
local HelloAck = { name = "Hello Ack", head = {
  { name = "capabilities", size = 2, f = f.HelloAck_capabilities },
}, body = {} }
local TypeDefinition = { name = "Type Definition", head = {
  { name = "type_number", size = 2, f = f.TypeDefinition_type_number },
}, body = {
  { name = "name", prefix = 1, kind = "octets", f = f.TypeDefinition_name },
  { name = "fields", prefix = 2, kind = "parts", part = "TypeField" },
} }
local IngressState = { name = "Ingress State", head = {
  { name = "table", size = 2, f = f.IngressState_table },
}, body = {
  { name = "ingress", size = 4, f = f.IngressState_ingress },
  { name = "kind", size = 1, f = f.IngressState_kind },
  { name = "view", size = 1, f = f.IngressState_view },
  { name = "state", size = 1, f = f.IngressState_state },
  { name = "zero", size = 1 },
  { name = "parent", size = 4, f = f.IngressState_parent },
  { name = "asn", size = 4, f = f.IngressState_asn },
  { name = "bgp_id", size = 4, f = f.IngressState_bgp_id },
  { name = "distinguisher", size = 8, f = f.IngressState_distinguisher },
  { name = "address", prefix = 1, kind = "octets", f = f.IngressState_address },
  { name = "name", prefix = 1, kind = "octets", f = f.IngressState_name },
} }
local AttributeSets = { name = "Attribute Sets", head = {
  { name = "table", size = 2, f = f.AttributeSets_table },
}, body = {
  { name = "first", size = 4, f = f.AttributeSets_first },
  { name = "lengths", prefix = 4, size = 2, kind = "numbers", f = f.AttributeSets_lengths },
  { name = "octets", kind = "rest", f = f.AttributeSets_octets },
} }
local Routes4 = { name = "Routes4", head = {
  { name = "table", size = 2, f = f.Routes4_table },
}, body = {
  { name = "flags", size = 1, f = f.Routes4_flags, keep = true },
  { name = "zero", size = 3 },
  { name = "ingress", size = 4, f = f.Routes4_ingress },
  { name = "time", size = 8, f = f.Routes4_time },
  { name = "tick", size = 4, f = f.Routes4_tick },
  { name = "rows", kind = "parts", part = "RouteRow4" },
} }
local Routes6 = { name = "Routes6", head = {
  { name = "table", size = 2, f = f.Routes6_table },
}, body = {
  { name = "flags", size = 1, f = f.Routes6_flags, keep = true },
  { name = "zero", size = 3 },
  { name = "ingress", size = 4, f = f.Routes6_ingress },
  { name = "time", size = 8, f = f.Routes6_time },
  { name = "tick", size = 4, f = f.Routes6_tick },
  { name = "rows", kind = "parts", part = "RouteRow6" },
} }
local TypedRecords = { name = "Typed Records", head = {
  { name = "table", size = 2, f = f.TypedRecords_table },
}, body = {
  { name = "flags", size = 1, f = f.TypedRecords_flags },
  { name = "zero", size = 1 },
  { name = "type_number", size = 2, f = f.TypedRecords_type_number },
  { name = "ingress", size = 4, f = f.TypedRecords_ingress },
  { name = "time", size = 8, f = f.TypedRecords_time },
  { name = "count", size = 4, f = f.TypedRecords_count },
  { name = "rows", kind = "rest", f = f.TypedRecords_rows },
} }
local Begin = { name = "Begin", head = {
  { name = "table", size = 2, f = f.Begin_table },
}, body = {
  { name = "kind", size = 1, f = f.Begin_kind },
  { name = "zero", size = 3 },
  { name = "from_epoch", size = 8, f = f.Begin_from_epoch },
  { name = "from_serial", size = 8, f = f.Begin_from_serial },
  { name = "epoch", size = 8, f = f.Begin_epoch },
  { name = "serial", size = 8, f = f.Begin_serial },
} }
local Commit = { name = "Commit", head = {
  { name = "table", size = 2, f = f.Commit_table },
}, body = {
  { name = "epoch", size = 8, f = f.Commit_epoch },
  { name = "serial", size = 8, f = f.Commit_serial },
  { name = "count", size = 8, f = f.Commit_count },
  { name = "digest", size = 8, f = f.Commit_digest },
} }
local ConfigGet = { name = "Config Get", head = {}, body = {} }
local ConfigData = { name = "Config Data", head = {}, body = {
  { name = "revision", size = 8, f = f.ConfigData_revision },
  { name = "size", size = 4, f = f.ConfigData_size },
  { name = "offset", size = 4, f = f.ConfigData_offset },
  { name = "digest", size = 32, f = f.ConfigData_digest },
  { name = "text", kind = "rest", f = f.ConfigData_text },
} }
local ConfigSet = { name = "Config Set", head = {
  { name = "flags", size = 2, f = f.ConfigSet_flags },
}, body = {
  { name = "sequence", size = 8, f = f.ConfigSet_sequence },
  { name = "expected", size = 8, f = f.ConfigSet_expected },
  { name = "size", size = 4, f = f.ConfigSet_size },
  { name = "offset", size = 4, f = f.ConfigSet_offset },
  { name = "digest", size = 32, f = f.ConfigSet_digest },
  { name = "text", kind = "rest", f = f.ConfigSet_text },
} }
local ConfigResult = { name = "Config Result", head = {
  { name = "outcome", size = 2, f = f.ConfigResult_outcome },
}, body = {
  { name = "sequence", size = 8, f = f.ConfigResult_sequence },
  { name = "revision", size = 8, f = f.ConfigResult_revision },
  { name = "diagnostics", prefix = 2, kind = "parts", part = "Diagnostic" },
} }
local ConfigChanged = { name = "Config Changed", head = {}, body = {
  { name = "revision", size = 8, f = f.ConfigChanged_revision },
  { name = "digest", size = 32, f = f.ConfigChanged_digest },
} }
local Params = { name = "Params", head = {
  { name = "capabilities", size = 2, f = f.Params_capabilities },
}, body = {
  { name = "max_pdu", size = 4, f = f.Params_max_pdu },
  { name = "attribute_sets", size = 4, f = f.Params_attribute_sets },
  { name = "keepalive", size = 4, f = f.Params_keepalive },
  { name = "name", prefix = 1, kind = "octets", f = f.Params_name },
} }
local Catalogue = { name = "Catalogue", head = {}, body = {
  { name = "tables", prefix = 2, kind = "parts", part = "TableEntry" },
} }
local Subscribe = { name = "Subscribe", head = {
  { name = "table", size = 2, f = f.Subscribe_table },
}, body = {
  { name = "mode", size = 1, f = f.Subscribe_mode },
  { name = "resume", size = 1, f = f.Subscribe_resume },
  { name = "families", size = 1, f = f.Subscribe_families },
  { name = "scope", size = 1, f = f.Subscribe_scope },
  { name = "epoch", size = 8, f = f.Subscribe_epoch },
  { name = "serial", size = 8, f = f.Subscribe_serial },
  { name = "ingress", size = 4, f = f.Subscribe_ingress },
  { name = "scope_length", size = 1, f = f.Subscribe_scope_length },
  { name = "zero", size = 3 },
  { name = "scope_address", prefix = 1, kind = "octets", f = f.Subscribe_scope_address },
} }
local Unsubscribe = { name = "Unsubscribe", head = {
  { name = "table", size = 2, f = f.Unsubscribe_table },
}, body = {} }
local Keepalive = { name = "Keepalive", head = {
  { name = "echo", size = 2, f = f.Keepalive_echo },
}, body = {
  { name = "token", size = 8, f = f.Keepalive_token },
} }
local Status = { name = "Status", head = {
  { name = "table", size = 2, f = f.Status_table },
}, body = {
  { name = "health", size = 1, f = f.Status_health },
  { name = "end_of_rib", size = 1, f = f.Status_end_of_rib },
  { name = "zero", size = 2 },
  { name = "text", prefix = 2, kind = "octets", f = f.Status_text },
  { name = "counters", prefix = 2, kind = "parts", part = "Counter" },
} }
local Goodbye = { name = "Goodbye", head = {
  { name = "reason", size = 2, f = f.Goodbye_reason },
}, body = {
  { name = "retry", size = 4, f = f.Goodbye_retry },
  { name = "text", prefix = 2, kind = "octets", f = f.Goodbye_text },
} }
local SerialNotify = { name = "Serial Notify", head = {
  { name = "session", size = 2, f = f.SerialNotify_session },
}, body = {
  { name = "serial", size = 4, f = f.SerialNotify_serial },
} }
local SerialQuery = { name = "Serial Query", head = {
  { name = "session", size = 2, f = f.SerialQuery_session },
}, body = {
  { name = "serial", size = 4, f = f.SerialQuery_serial },
} }
local ResetQuery = { name = "Reset Query", head = {}, body = {} }
local CacheResponse = { name = "Cache Response", head = {
  { name = "session", size = 2, f = f.CacheResponse_session },
}, body = {} }
local Ipv4Prefix = { name = "IPv4 Prefix", head = {}, body = {
  { name = "flags", size = 1, f = f.Ipv4Prefix_flags },
  { name = "prefix_length", size = 1, f = f.Ipv4Prefix_prefix_length },
  { name = "max_length", size = 1, f = f.Ipv4Prefix_max_length },
  { name = "zero", size = 1 },
  { name = "prefix", size = 4, f = f.Ipv4Prefix_prefix },
  { name = "asn", size = 4, f = f.Ipv4Prefix_asn },
} }
local Ipv6Prefix = { name = "IPv6 Prefix", head = {}, body = {
  { name = "flags", size = 1, f = f.Ipv6Prefix_flags },
  { name = "prefix_length", size = 1, f = f.Ipv6Prefix_prefix_length },
  { name = "max_length", size = 1, f = f.Ipv6Prefix_max_length },
  { name = "zero", size = 1 },
  { name = "prefix", size = 16, f = f.Ipv6Prefix_prefix },
  { name = "asn", size = 4, f = f.Ipv6Prefix_asn },
} }
local EndOfDataV0 = { name = "End of Data V0", head = {
  { name = "session", size = 2, f = f.EndOfDataV0_session },
}, body = {
  { name = "serial", size = 4, f = f.EndOfDataV0_serial },
} }
local EndOfData = { name = "End of Data", head = {
  { name = "session", size = 2, f = f.EndOfData_session },
}, body = {
  { name = "serial", size = 4, f = f.EndOfData_serial },
  { name = "refresh", size = 4, f = f.EndOfData_refresh },
  { name = "retry", size = 4, f = f.EndOfData_retry },
  { name = "expire", size = 4, f = f.EndOfData_expire },
} }
local CacheReset = { name = "Cache Reset", head = {}, body = {} }
local RouterKey = { name = "Router Key", head = {
  { name = "flags", size = 1, f = f.RouterKey_flags },
  { name = "header_zero", size = 1 },
}, body = {
  { name = "key_id", size = 20, f = f.RouterKey_key_id },
  { name = "asn", size = 4, f = f.RouterKey_asn },
  { name = "key_info", kind = "rest", f = f.RouterKey_key_info },
} }
local ErrorReport = { name = "Error Report", head = {
  { name = "code", size = 2, f = f.ErrorReport_code },
}, body = {
  { name = "offending", prefix = 4, kind = "octets", f = f.ErrorReport_offending },
  { name = "text", prefix = 4, kind = "octets", f = f.ErrorReport_text },
} }
local Aspa = { name = "ASPA", head = {
  { name = "flags", size = 1, f = f.Aspa_flags },
  { name = "header_zero", size = 1 },
}, body = {
  { name = "customer", size = 4, f = f.Aspa_customer },
  { name = "providers", size = 4, kind = "numbers", f = f.Aspa_providers },
} }
pdus[0x8002] = Hello
pdus[0x8003] = HelloAck
pdus[0x8020] = TypeDefinition
pdus[0x8021] = IngressState
pdus[0x8022] = AttributeSets
pdus[0x8024] = Routes4
pdus[0x8026] = Routes6
pdus[0x8028] = TypedRecords
pdus[0x802c] = Begin
pdus[0x802d] = Commit
pdus[0x8040] = ConfigGet
pdus[0x8041] = ConfigData
pdus[0x8042] = ConfigSet
pdus[0x8043] = ConfigResult
pdus[0x8044] = ConfigChanged
pdus[0x8050] = Params
pdus[0x8051] = Catalogue
pdus[0x8052] = Subscribe
pdus[0x8053] = Unsubscribe
pdus[0x8054] = Keepalive
pdus[0x8055] = Status
pdus[0x8056] = Goodbye
pdus[0x0000] = SerialNotify
pdus[0x0100] = SerialNotify
pdus[0x0200] = SerialNotify
pdus[0x0001] = SerialQuery
pdus[0x0101] = SerialQuery
pdus[0x0201] = SerialQuery
pdus[0x0002] = ResetQuery
pdus[0x0102] = ResetQuery
pdus[0x0202] = ResetQuery
pdus[0x0003] = CacheResponse
pdus[0x0103] = CacheResponse
pdus[0x0203] = CacheResponse
pdus[0x0004] = Ipv4Prefix
pdus[0x0104] = Ipv4Prefix
pdus[0x0204] = Ipv4Prefix
pdus[0x8004] = Ipv4Prefix
pdus[0x0006] = Ipv6Prefix
pdus[0x0106] = Ipv6Prefix
pdus[0x0206] = Ipv6Prefix
pdus[0x8006] = Ipv6Prefix
pdus[0x0007] = EndOfDataV0
pdus[0x0107] = EndOfData
pdus[0x0207] = EndOfData
pdus[0x0008] = CacheReset
pdus[0x0108] = CacheReset
pdus[0x0208] = CacheReset
pdus[0x0109] = RouterKey
pdus[0x0209] = RouterKey
pdus[0x8009] = RouterKey
pdus[0x000a] = ErrorReport
pdus[0x010a] = ErrorReport
pdus[0x020a] = ErrorReport
pdus[0x800a] = ErrorReport
pdus[0x020b] = Aspa
pdus[0x800b] = Aspa
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

DissectorTable.get("tcp.port"):set(323, rotoro)
DissectorTable.get("tcp.port"):add(3323, rotoro)
