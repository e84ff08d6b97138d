package prometheus

import (
	"fmt"
	"slices"
	"strings"
)

// window is how far a query looks back. It must hold two scrapes.
const window = "2m"

// Query is the share of the requests between workloads that failed, by the metrics of the sidecars in some namespaces.
//
// Requests are counted where they are sent: a client's sidecar knows also those that never arrived. Like load reports it takes an answer
// of 500 and above for a failure. As long as nobody has sent any request, the share is 0 if at least one sidecar is scraped; without any
// sidecar in Prometheus there is no answer, and neither while a counter was scraped only once. Without namespaces there are no sidecars
// to ask about, and all that Prometheus has to do is answer.
func Query(namespaces []string) string {
	if len(namespaces) == 0 {
		return "vector(0)"
	}
	// A namespace's name has nothing that means more than itself in an expression.
	upstream := fmt.Sprintf(`envoy_cluster_name=~"(%s)/.+[|][0-9]+"`, strings.Join(slices.Sorted(slices.Values(namespaces)), "|"))
	all := fmt.Sprintf(`envoy_cluster_upstream_rq_xx{%s}`, upstream)
	failed := fmt.Sprintf(`envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",%s}`, upstream)
	idle := fmt.Sprintf(`(0 * count(envoy_server_live) unless sum(%s))`, all)
	return fmt.Sprintf(`(sum(rate(%s[%s])) or vector(0)) / clamp_min(sum(rate(%s[%s])) or %s, 1e-9)`, failed, window, all, window, idle)
}
