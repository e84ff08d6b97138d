package endtoend

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/fleet"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

const (
	// creators is the number of concurrent requests that create objects and tokens.
	creators = 8
	// syncLimit and changeLimit are how long sidecars may take to receive everything, or a change.
	syncLimit, changeLimit = 5 * time.Minute, time.Minute
	// quiet is how long the control plane must not write before its writes are counted. It delays the status of a policy by a second.
	quiet = 3 * time.Second
	// settling is how long the controller may still work and hold memory after all sidecars have connected.
	settling = 30 * time.Second
	// idle is how long it serves all sidecars without any change afterwards, while its CPU time is measured.
	idle = 30 * time.Second
	// Changes come ten times a second on average. Pauses differ, so that they do not always meet the status that is written for an earlier change.
	minPause, maxPause = 50 * time.Millisecond, 150 * time.Millisecond
)

// options are the options of a measurement.
type options struct {
	mode     mesh.Mode
	sidecars int
	// routes is the number of HTTPRoutes of each service.
	routes int
	// start runs the controller.
	start func(*exec.Cmd) error
}

// change is the measurement of one kind of change. cpu, bytes, status and events are for each change.
type change struct {
	kind mesh.Kind
	// times are sorted, from the write of the first object to the last acknowledgement. delivered are sorted too: the part after the API server has
	// answered.
	times, delivered []time.Duration
	cpu              time.Duration
	bytes            float64
	// status and events count requests to the API server.
	status, events float64
	// needless is the greatest number of sidecars that one change updated without need.
	needless int
}

// result is the measurement of a mesh.
type result struct {
	// started is how long the controller took to read the mesh, and startCPU its CPU time for that.
	started, startCPU time.Duration
	// sync is how long all sidecars took to receive everything, and syncCPU the CPU time for that. connected is the CPU time of the process until then.
	sync, syncCPU, connected time.Duration
	// before and after are the resident bytes without sidecars and with all, peak the most before sidecars connected, and kept those after the settling.
	before, after, peak, kept uint64
	// settling is the CPU time of the settling.
	settling time.Duration
	// idle is the share of a core that the controller uses without any change.
	idle    float64
	changes []change
}

// bench is a running measurement.
type bench struct {
	*testing.B
	options
	cluster    *cluster
	controller *controller
	mesh       *mesh.Mesh
	oracle     *mesh.Oracle
	fleet      *fleet.Fleet
	root       *certificate.Root
}

// measure creates a mesh and measures the start of the controller. With kinds of changes it also connects sidecars and measures these.
func measure(t *testing.B, o options, kinds ...mesh.Kind) *result {
	t.Helper()
	program := build(t, "controller")
	b := &bench{B: t, options: o, mesh: mesh.New(o.mode, o.sidecars), cluster: startCluster(t, nil)}
	b.mesh.Routes = o.routes
	b.createMesh(t.Context())
	var err error
	b.root, err = certificate.NewRoot(certificate.KeySpec{}, time.Now())
	must(t, err)
	b.controller = startController(t, program, b.cluster.kubeconfig, b.root, o.start)
	time.Sleep(quiet)
	started := b.controller.usage()
	r := &result{started: b.controller.started, startCPU: started.CPU, before: started.Resident, peak: started.Peak}
	if len(kinds) == 0 {
		return r
	}
	b.connect(t.Context(), r)
	defer b.fleet.Disconnect()
	time.Sleep(settling)
	rest := b.controller.usage()
	time.Sleep(idle)
	r.kept, r.settling = rest.Resident, rest.CPU-r.connected
	r.idle = float64(b.controller.usage().CPU-rest.CPU) / float64(idle)
	for _, kind := range kinds {
		r.changes = append(r.changes, b.makeChanges(t.Context(), kind))
	}
	return r
}

// createMesh creates all objects of the mesh.
func (b *bench) createMesh(ctx context.Context) {
	b.Helper()
	config := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names.MeshConfig}}
	config.Spec.Traffic.EnablePermissiveTrafficPolicyMode = b.mode == mesh.Visible
	config.Spec.FeatureFlags.EnableRetryPolicy = true
	must(b.B, b.cluster.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	must(b.B, b.cluster.client.Create(ctx, config))
	b.mesh.Settings, _ = ingest.MeshConfig(config) // as the API server has completed it
	var namespaces, rest []catalog.Entry
	for _, entry := range b.mesh.Entries() {
		switch entry.(type) {
		case *catalog.Settings:
		case *catalog.Namespace:
			namespaces = append(namespaces, entry)
		default:
			rest = append(rest, entry)
		}
	}
	b.put(ctx, namespaces)
	b.put(ctx, rest)
	// The order of routes follows from when the API server created them.
	routes := &metav1.PartialObjectMetadataList{}
	routes.SetGroupVersionKind(schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: gatewayv1.GroupVersion.Version, Kind: "HTTPRouteList"})
	must(b.B, b.cluster.client.List(ctx, routes))
	b.mesh.Created = creationTimes(routes.Items)
}

// creationTimes returns when objects were created, as the control plane reads it.
func creationTimes(list []metav1.PartialObjectMetadata) map[entity.Name]time.Time {
	times := map[entity.Name]time.Time{}
	for i := range list {
		times[entity.Name{Namespace: list[i].Namespace, Name: list[i].Name}] = list[i].CreationTimestamp.UTC()
	}
	return times
}

// each runs f for each number below n, some at a time.
func each(ctx context.Context, n int, f func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for i := range n {
		group.Go(func() error { return f(ctx, i) })
	}
	return group.Wait()
}

// put creates objects concurrently.
func (b *bench) put(ctx context.Context, entries []catalog.Entry) {
	b.Helper()
	must(b.B, each(ctx, len(entries), func(ctx context.Context, i int) error {
		write, err := b.cluster.prepare(ctx, entries[i])
		if err != nil {
			return err
		}
		return write(ctx)
	}))
}

// tokens requests the token of each sidecar, as the kubelet does.
func (b *bench) tokens(ctx context.Context) []string {
	b.Helper()
	out := make([]string, b.mesh.Sidecars())
	must(b.B, each(ctx, len(out), func(ctx context.Context, i int) error {
		desired := b.mesh.Pod(i)
		var pod corev1.Pod
		if err := b.cluster.client.Get(ctx, client.ObjectKey(desired.Name), &pod); err != nil {
			return err
		}
		request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
			Audiences: []string{names.TokenAudience(meshName, namespace)}, ExpirationSeconds: ptr.To[int64](36000),
			BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
		}}
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: desired.ServiceAccount}}
		err := b.cluster.client.SubResource("token").Create(ctx, account, request)
		out[i] = request.Status.Token
		return err
	}))
	return out
}

// connect connects all sidecars and waits until they have everything.
func (b *bench) connect(ctx context.Context, r *result) {
	b.Helper()
	b.oracle, b.fleet = mesh.NewOracle(b.mesh, b.root.CertPEM()), fleet.New(b.mesh, b.tokens(ctx))
	b.fleet.Addresses = true
	all, err := b.oracle.Resources(0)
	must(b.B, err)
	idle := b.controller.usage()
	// The certificate of the workload is one more.
	wait := b.fleet.ExpectAll(append(all, mesh.Resource{ResourceKey: mesh.ResourceKey{TypeURL: mesh.SecretType}}))
	begun := time.Now()
	b.fleet.Connect(fmt.Sprintf("127.0.0.1:%d", names.ADSPort), fleet.TLS(b.root, names.ADSCommonName(mesh.TrustDomain)))
	b.awaitResources(wait, syncLimit)
	r.sync = time.Since(begun)
	connected := b.controller.usage()
	r.syncCPU, r.connected, r.after = connected.CPU-idle.CPU, connected.CPU, connected.Resident
}

// awaitResources waits until sidecars have what they expect.
func (b *bench) awaitResources(wait *fleet.Wait, limit time.Duration) {
	b.Helper()
	select {
	case <-wait.Done():
		must(b.B, b.fleet.Err())
	case <-time.After(limit):
		b.Fatalf("not all sidecars have their resources after %s: %s %v", limit, b.fleet.Missing(), b.fleet.Err())
	}
}
