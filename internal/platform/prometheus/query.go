package prometheus

import (
	"fmt"
	"slices"
	"strings"
)

// window is the range of the query. It must contain two scrapes.
const window = "2m"

// Query returns a query for the ratio of failed requests between workloads, from the metrics of sidecars in the given namespaces.
//
// It uses the metrics of client sidecars, which include requests that never arrived. As in load reports, a status of 500 and above is a
// failure. Without requests, the ratio is 0 if at least one sidecar is scraped. Without scraped sidecars, or with a single scrape, there
// is no result. Without namespaces, the query only checks that Prometheus responds.
func Query(namespaces []string) string {
	if len(namespaces) == 0 {
		return "vector(0)"
	}
	// Namespace names contain no special characters of regular expressions.
	upstream := fmt.Sprintf(`envoy_cluster_name=~"(%s)/.+[|][0-9]+"`, strings.Join(slices.Sorted(slices.Values(namespaces)), "|"))
	all := fmt.Sprintf(`envoy_cluster_upstream_rq_xx{%s}`, upstream)
	failed := fmt.Sprintf(`envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",%s}`, upstream)
	idle := fmt.Sprintf(`(0 * count(envoy_server_live) unless sum(%s))`, all)
	return fmt.Sprintf(`(sum(rate(%s[%s])) or vector(0)) / clamp_min(sum(rate(%s[%s])) or %s, 1e-9)`, failed, window, all, window, idle)
}
