package networks

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/networks/enforcer"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestNetworkPoliciesDrop isolates a namespace of the mesh in both directions. With the NetworkPolicies of the documentation its workloads call each other.
// Without the one for the control plane a new pod does not start, requests of others go on, and osm names the policy.
func TestNetworkPoliciesDrop(t *testing.T) {
	requireLocal(t)
	lab.RequireFull(t)
	cluster.Record(t, "workloads call each other where NetworkPolicies drop everything else")
	lab.Must(t, cluster.Repository.BuildOSM(t.Context(), t.Output()))
	i := isolate(t)
	i.outcome(isolated, caller, urlIn(isolated), "200")
	i.outcome(isolated, plain, urlIn(elsewhere), report.Timeout)
	if text := i.osm("analyze"); strings.Contains(text, "NetworkPolicy") {
		t.Error("osm analyze reports the documented NetworkPolicies")
	}

	restore := i.without(toControlPlane)
	late := i.create(isolated, "late")
	i.awaitStuck(late)
	i.outcome(isolated, caller, urlIn(isolated), "200")
	if text := i.osm("analyze"); !strings.Contains(text, "[OSM0510] (NetworkPolicy isolated/default-deny)") || strings.Contains(text, "OSM0511") {
		t.Error("osm analyze does not name the NetworkPolicies that keep the sidecar from the control plane, and only them")
	}
	if text := i.osm("check"); !strings.Contains(text, "pods whose sidecar is not ready: late") || !strings.Contains(text, "osm analyze -n isolated") {
		t.Error("osm check does not lead to osm analyze")
	}
	restore()
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, isolated))
}

// TestEachNetworkPolicyIsNeeded shows what users see without each NetworkPolicy of the documentation.
func TestEachNetworkPolicyIsNeeded(t *testing.T) {
	requireLocal(t)
	lab.RequireFull(t)
	cluster.Record(t, "what is missing without each NetworkPolicy of the documentation, and requests go on while the control plane is dropped silently")
	lab.Must(t, cluster.Repository.BuildOSM(t.Context(), t.Output()))
	i := isolate(t)
	for _, part := range []struct {
		name string
		run  func(*isolation)
	}{
		{"application ports", onlyApplicationPorts},
		{"metrics", readMetrics},
		{"probes", probeFromNode},
		{"DNS", withoutDNS},
		{"open connection", dropOpenConnection},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(&isolation{T: t, network: i.network, documented: i.documented}) })
	}
}

// withoutDNS: a new sidecar does not find the control plane, and applications do not find Services. Sidecars that run stay connected.
func withoutDNS(i *isolation) {
	restore := i.without(dns)
	pod := i.create(isolated, "nameless")
	i.awaitStuck(pod)
	i.outcome(isolated, caller, urlIn(isolated), report.Timeout)
	i.awaitConnected(caller, true)
	if text := i.osm("analyze"); !strings.Contains(text, "[OSM0511] (NetworkPolicy isolated/default-deny)") || strings.Contains(text, "OSM0510") {
		i.Error("osm analyze does not name the NetworkPolicies that keep pods from DNS, and only them")
	}
	restore()
	lab.Must(i, cluster.PodsReady(i.Context(), podLimit, isolated))
	i.outcome(isolated, caller, urlIn(isolated), "200")
}

// dropOpenConnection drops the packets of an open connection to the control plane. The sidecar notices it, and serves what it has.
func dropOpenConnection(i *isolation) {
	requests, err := cluster.Agent(i.Context(), isolated, caller, lab.AgentPort).StartRequests(i.Context(), urlIn(isolated), "--rate", "20")
	lab.Must(i, err)
	i.awaitConnected(caller, true)
	restore := i.without(toControlPlane)
	i.cutEstablished(true)
	i.awaitConnected(caller, false)
	begin := time.Now()
	lab.Eventually(i, 2*podLimit, "the control plane notices it", func(context.Context) (bool, string, error) {
		text := i.osm("proxy", "status", "-n", isolated)
		return regexp.MustCompile(`(?m)^isolated +caller .*not connected`).MatchString(text), text, nil
	})
	i.Logf("the control plane noticed it %s later", time.Since(begin).Round(time.Second))
	restore()
	i.cutEstablished(false)
	i.awaitConnected(caller, true)
	result, err := requests.Stop(i.Context())
	lab.Must(i, err)
	if result.Outcomes["200"] != result.Requests || result.Requests == 0 {
		i.Errorf("of %d requests, the outcomes are %v: %v", result.Requests, result.Outcomes, result.Errors)
	}
}

// onlyApplicationPorts allows between workloads the port of the application alone: packets between pods have no port of a sidecar.
func onlyApplicationPorts(i *isolation) {
	restore := i.without(traffic)
	// Sidecars keep connections, so those must be dropped too.
	i.cutEstablished(true)
	i.outcome(isolated, caller, urlIn(isolated), report.Timeout)
	ports := fmt.Sprintf("[{ports: [{port: %d}]}]", lab.HTTPPort)
	narrow := `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: narrow, namespace: ` + isolated + `}, ` +
		`spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: ` + ports + `, egress: ` + ports + `}}`
	lab.Must(i, cluster.Put(i.Context(), narrow))
	i.outcome(isolated, caller, urlIn(isolated), "200")
	restore()
	i.cutEstablished(false)
	lab.Must(i, cluster.Remove(i.Context(), narrow))
}

// readMetrics reads the metrics of a sidecar from another namespace, without and with its label.
func readMetrics(i *isolation) {
	var pod corev1.Pod
	lab.Must(i, cluster.Client.Get(i.Context(), client.ObjectKey{Namespace: isolated, Name: server}, &pod))
	url := fmt.Sprintf("http://%s:%d/stats/prometheus", pod.Status.PodIP, names.PrometheusPort)
	i.outcome(elsewhere, server, url, report.Timeout)
	lab.Must(i, cluster.Patch(i.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: elsewhere}}, `{"metadata": {"labels": {"metrics": "enabled"}}}`))
	i.outcome(elsewhere, server, url, "200")
}

// probeFromNode drops probes of the kubelet, until a policy allows the ports that the sidecar serves for them. It applies
// NetworkPolicies to the node too, as few networks do.
func probeFromNode(i *isolation) {
	lab.Must(i, i.network.Change(i.Context(), func(o *enforcer.Options) { o.IsolateFromNode = true }))
	i.awaitReady(server, false)
	lab.Must(i, cluster.Put(i.Context(), strings.ReplaceAll(i.documented[probes], "192.0.2.0/24", podRanges(i.T)[0].String())))
	i.awaitReady(server, true)
	lab.Must(i, i.network.Change(i.Context(), func(o *enforcer.Options) { o.IsolateFromNode = false }))
}
