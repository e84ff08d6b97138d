package launch

import (
	"fmt"
	"os"
	"strings"
)

// gateName is the name of the listener that keeps an Envoy from accepting connections, of its route configuration, and of the cluster of the launcher.
const gateName = "slot_gate"

// adminName is the name of the listener that leads to the admin interface of the Envoy that owns it, and of its cluster.
const adminName = "slot_admin"

// overlay returns what a slot adds to the bootstrap of the pod: its identity, an admin interface in the volume of the slots, and two listeners. The
// first waits for a route configuration of the launcher. Envoy starts its workers, and sends its parent the order to drain, after all listeners of
// the bootstrap have what they wait for. The second leads connections to the usual admin port to the Envoy that serves, as its socket moves with the
// others.
func overlay(slot string, epoch, port int, admin, gate string, included bool) string {
	statistics := ""
	if included {
		statistics = drainStatistics
	}
	return fmt.Sprintf(`{
%[7]snode: {metadata: {slot: %[1]q, epoch: %[2]d}},
admin: {address: {pipe: {path: %[3]q, mode: 384}}},
static_resources: {
listeners: [
{name: %[5]s, bind_to_port: false, address: {socket_address: {address: 127.0.0.1, port_value: 1}},
	filter_chains: [{filters: [{name: http_connection_manager, typed_config: {
"@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: %[5]s,
http_filters: [{name: http_router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}],
rds: {route_config_name: %[5]s, config_source: {resource_api_version: V3, initial_fetch_timeout: 0s,
	api_config_source: {api_type: REST, transport_api_version: V3,
cluster_names: [%[5]s], refresh_delay: 86400s, request_timeout: 86400s}}}}}]}]},
{name: %[8]s, stat_prefix: %[8]s, address: {socket_address: {address: 127.0.0.1, port_value: %[6]d}},
	filter_chains: [{filters: [{name: tcp_proxy, typed_config: {
"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: %[8]s, cluster: %[8]s}}]}]}],
clusters: [
{name: %[5]s, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: %[5]s,
	endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: %[4]q}}}}]}]}},
{name: %[8]s, type: STATIC, connect_timeout: 1s, load_assignment: {cluster_name: %[8]s,
	endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: %[3]q}}}}]}]}}]}}`,
		slot, epoch, admin, gate, gateName, port, statistics, adminName)
}

// drainStatistics are added to a list of statistics that Envoy keeps.
const drainStatistics = "stats_config: {stats_matcher: {inclusion_list: {patterns: [{safe_regex: {regex: '" + drainPattern + "'}}]}}},\n"

// drainPattern matches the names of the statistics by which a drain ends.
const drainPattern = `(http\..*|listener\.` + adminName + `)\.downstream_(rq|cx)_active`

// hasInclusions reports whether the bootstrap lists the statistics that Envoy keeps. A list would replace one of those that it does not keep.
func hasInclusions(args []string) bool {
	for i, argument := range args[:max(len(args)-1, 0)] {
		if argument == "--config-path" {
			content, err := os.ReadFile(args[i+1])
			return err == nil && strings.Contains(string(content), "inclusion_list:")
		}
	}
	return false
}
