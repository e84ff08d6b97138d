package takeover

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// besideNamespace is the namespace of the Mesh beside OSM, which `osm migrate run` creates.
const besideNamespace = "osm-mesh"

// The classes of senders.
const (
	restartable = "callers that restart"
	ingress     = "a client outside of the mesh, by an IngressBackend"
	bare        = "a bare pod with a sidecar of OSM"
	purchaser   = "the bookbuyer"
)

// rollback is the phase that goes back to OSM.
const rollback = "rollback"

// maxShares are the shares of the requests of a class that may fail on the way to the Mesh, and maxSharesBack on the way back to OSM. Callers that restart
// lose none. Others lose requests that were in a sidecar of OSM when its pod ended. The bookbuyer also loses those that it sends before its own sidecar of
// OSM is ready.
var (
	maxShares     = map[string]float64{restartable: 0, ingress: 0.005, bare: 0.005, purchaser: 0.005}
	maxSharesBack = map[string]float64{restartable: 0, ingress: 0.01, bare: 0.005, purchaser: 0.05}
)

// besideSenders send the load. Bare pods are among them while OSM runs.
func besideSenders(withBare bool) []sender {
	inside := []string{"--rate", fmt.Sprint(scaled(24)), "--most", "20", "-H", "X-Marker: " + marker}
	flows := [][]string{inside, append(slices.Clone(inside), "--keep-alive")}
	all := []sender{
		{restartable, shopNamespace, shopper, url(shopNamespace, store, "/books"), flows},
		{ingress, outsideNamespace, gateway, url(shopNamespace, store, "/anything"), [][]string{{"--rate", fmt.Sprint(scaled(20)), "--most", "20"}}},
	}
	if withBare {
		all = append(all, sender{bare, shopNamespace, caller, url(shopNamespace, store, "/books"), flows})
	}
	return all
}

// TestTakeoverBesideOSM takes over from a running OSM with its reconciler as docs/takeover.md describes it, under load: its programs restart while the Mesh
// injects, everything goes back when half of the workloads have restarted, and then the takeover goes on to its end.
func TestTakeoverBesideOSM(t *testing.T) {
	lab.RequireFull(t)
	lab.Must(t, clean(t.Context()))
	lab.Must(t, cluster.Repository.BuildOSM(t.Context(), t.Output()))
	deployApplications(t)
	deployShopper(t)
	installOSM(t, "osm.enableReconciler=true")
	onboard(t)
	requireTraffic(t, caller)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(cluster.ControlPlaneLogs(context.Background(), besideNamespace))
			t.Log(cluster.Kubectl(context.Background(), "get", "mesh", names.DefaultMesh, "-o", "yaml"))
		}
	})
	b := &beside{t: t, forward: map[string]tally{}, back: map[string]tally{}, step: stepper(t), logs: followSidecarLogs(t), purchases: newPurchases(), users: userRecords(t), root: rootOf(t, osmNamespace, names.CABundleSecret)}
	var err error
	b.webhooks, err = webhookRecords(t.Context())
	lab.Must(t, err)
	b.run()
}

// deployShopper deploys callers that may restart.
func deployShopper(t *testing.T) {
	t.Helper()
	none, one := intstr.FromInt32(0), intstr.FromInt32(1)
	template := newTemplate(t, shopNamespace, shopper)
	lab.Must(t, cluster.Create(t.Context(), &appsv1.Deployment{ObjectMeta: objectNamed(shopNamespace, shopper), Spec: appsv1.DeploymentSpec{
		Replicas: ptr.To[int32](2), Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template,
		Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &none, MaxSurge: &one}},
	}}))
	lab.Must(t, cluster.Available(t.Context(), podLimit, shopNamespace))
}

// beside is a takeover beside OSM.
type beside struct {
	t         *testing.T
	step      func(string)
	logs      *sidecarLogs
	purchases *purchases
	// users and webhooks are what users and OSM wrote, and root is the root certificate of OSM.
	users, webhooks records
	root            string
	withoutBare     bool
	current         *phase
	// session is a long connection between bare pods.
	session *lab.Running[report.Session]
	// forward are the counts of all phases but the way back, and back those of that.
	forward, back map[string]tally
}

// begin starts the load of the next phase, after that of the current one.
func (b *beside) begin(name string) map[string]tally {
	b.t.Helper()
	counts := b.end()
	b.current = startPhase(b.t, name, besideSenders(!b.withoutBare))
	return counts
}

// end stops the load of the current phase.
func (b *beside) end() map[string]tally {
	b.t.Helper()
	if b.current == nil {
		return nil
	}
	counts, total := b.current.stop(b.logs), b.forward
	if b.current.name == rollback {
		total = b.back
	}
	b.current = nil
	requests, failed := b.purchases.sinceLast()
	counts[purchaser] = tally{requests: requests, failed: failed}
	b.t.Logf("%s: %d of %d requests failed; %s%s", purchaser, failed, requests, strings.Join(b.purchases.describe(), ", "), b.logs.take("bookbuyer"))
	for class, c := range counts {
		sum := total[class]
		sum.requests, sum.failed, sum.atEnd = sum.requests+c.requests, sum.failed+c.failed, sum.atEnd+c.atEnd
		total[class] = sum
	}
	return counts
}

// awaitLongLoad goes on in the long form until its number of requests was sent.
func (b *beside) awaitLongLoad() {
	b.t.Helper()
	for isLong() && b.requests() < longLoad {
		b.begin("after the takeover")
		time.Sleep(30 * time.Second)
		b.end()
	}
}

// requests is the number of requests in all phases that have ended.
func (b *beside) requests() int {
	sum := 0
	for _, way := range []map[string]tally{b.forward, b.back} {
		for _, c := range way {
			sum += c.requests
		}
	}
	return sum
}

// requireTraffic requires each kind of traffic from a bare pod and from a pod that may have restarted.
func (b *beside) requireTraffic() {
	b.t.Helper()
	pod, err := cluster.Pod(b.t.Context(), shopNamespace, lab.AppLabel, shopper)
	lab.Must(b.t, err)
	for _, from := range []string{caller, pod.Name} {
		requireTraffic(b.t, from)
	}
}

// requireLimits requires that not more requests failed than each class of senders may lose. What a sender loses at its own end does not count.
func requireLimits(t *testing.T, way string, counts map[string]tally, limits map[string]float64) {
	t.Helper()
	for class, c := range counts {
		t.Logf("%s: %s: %d of %d requests failed, %d of them when the sender itself ended", way, class, c.failed, c.requests, c.atEnd)
		if float64(c.failed-c.atEnd) > limits[class]*float64(c.requests) {
			t.Errorf("%s: %s: %d of %d requests failed, want at most %.1f%%", way, class, c.failed, c.requests, 100*limits[class])
		}
	}
}
