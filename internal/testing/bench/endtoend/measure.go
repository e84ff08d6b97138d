package endtoend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	// Changes come ten times a second on average. Pauses differ, so that they do not always meet the status that is written for an earlier change.
	minPause, maxPause = 50 * time.Millisecond, 150 * time.Millisecond
)

// Options are the options of a measurement.
type Options struct {
	Mode     mesh.Mode
	Sidecars int
	// Changes is the number of changes of each kind.
	Changes int
	// Routes is the number of HTTPRoutes of each service.
	Routes int
	// Start runs the controller.
	Start func(*exec.Cmd) error
}

// Change is the measurement of one kind of change. CPU, Bytes, Status and Events are for each change.
type Change struct {
	Kind mesh.Kind
	// Times are sorted, from the write of the first object to the last acknowledgement. Delivered are sorted too: the part after the API server has
	// answered.
	Times, Delivered []time.Duration
	CPU              time.Duration
	Bytes            float64
	// Status and Events count requests to the API server.
	Status, Events float64
	// Needless is the greatest number of sidecars that one change updated without need.
	Needless int
}

// Result is the measurement of a mesh.
type Result struct {
	// Started is how long the controller took to read the mesh, and StartCPU its CPU time for that.
	Started, StartCPU time.Duration
	// Sync is how long all sidecars took to receive everything, and SyncCPU the CPU time for that.
	Sync, SyncCPU time.Duration
	// Before and After are the resident bytes without sidecars and with all, and Peak the most before sidecars connected.
	Before, After, Peak uint64
	Changes             []Change
}

// bench is a running measurement.
type bench struct {
	Options
	dir        string
	cluster    *cluster
	controller *controller
	mesh       *mesh.Mesh
	oracle     *mesh.Oracle
	fleet      *fleet.Fleet
	root       *certificate.Root
}

// Measure creates a mesh and measures the start of the controller. With kinds of changes it also connects sidecars and measures these.
func Measure(ctx context.Context, o Options, kinds ...mesh.Kind) (*Result, error) {
	dir, err := os.MkdirTemp("", "endtoend")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program, err := build(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("the controller cannot be built: %w", err)
	}
	b := &bench{Options: o, dir: dir, mesh: mesh.New(o.Mode, o.Sidecars)}
	b.mesh.Routes = o.Routes
	if b.cluster, err = startCluster(dir, nil); err != nil {
		return nil, err
	}
	result, err := b.run(ctx, program, kinds)
	return result, b.cluster.stop(err)
}

func (b *bench) run(ctx context.Context, program string, kinds []mesh.Kind) (result *Result, err error) {
	if err := b.createMesh(ctx); err != nil {
		return nil, err
	}
	if b.root, err = certificate.NewRoot(certificate.KeySpec{}, time.Now()); err != nil {
		return nil, err
	}
	if b.controller, err = startController(ctx, program, filepath.Join(b.dir), b.cluster.kubeconfig, b.root, b.Start); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.controller.tail())
		}
		err = errors.Join(err, b.controller.stop())
	}()
	time.Sleep(quiet)
	started, err := b.controller.usage()
	result = &Result{Started: b.controller.started, StartCPU: started.CPU, Before: started.Resident, Peak: started.Peak}
	if err != nil || len(kinds) == 0 {
		return result, err
	}
	if err := b.connect(ctx, result); err != nil {
		return nil, err
	}
	defer b.fleet.Disconnect()
	for _, kind := range kinds {
		change, err := b.changes(ctx, kind)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		result.Changes = append(result.Changes, *change)
	}
	return result, nil
}

// createMesh creates all objects of the mesh.
func (b *bench) createMesh(ctx context.Context) error {
	config := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names.MeshConfig}}
	config.Spec.Traffic.EnablePermissiveTrafficPolicyMode = b.Mode == mesh.Visible
	config.Spec.FeatureFlags.EnableRetryPolicy = true
	var own client.Object = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	for _, object := range []client.Object{own, config} {
		if err := b.cluster.client.Create(ctx, object); err != nil {
			return err
		}
	}
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
	if err := errors.Join(b.put(ctx, namespaces), b.put(ctx, rest)); err != nil {
		return err
	}
	return b.readCreationTimes(ctx)
}

// readCreationTimes reads when the API server created the routes of the mesh: their order follows from it.
func (b *bench) readCreationTimes(ctx context.Context) error {
	routes := &metav1.PartialObjectMetadataList{}
	routes.SetGroupVersionKind(schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: gatewayv1.GroupVersion.Version, Kind: "HTTPRouteList"})
	if err := b.cluster.client.List(ctx, routes); err != nil {
		return err
	}
	b.mesh.Created = creationTimes(routes.Items)
	return nil
}

// creationTimes returns when objects were created, as the control plane reads it.
func creationTimes(list []metav1.PartialObjectMetadata) map[entity.Name]time.Time {
	times := map[entity.Name]time.Time{}
	for i := range list {
		times[entity.Name{Namespace: list[i].Namespace, Name: list[i].Name}] = list[i].CreationTimestamp.UTC()
	}
	return times
}

// put creates objects concurrently.
func (b *bench) put(ctx context.Context, entries []catalog.Entry) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for _, entry := range entries {
		group.Go(func() error {
			write, err := b.cluster.prepare(ctx, entry)
			if err != nil {
				return err
			}
			return write(ctx)
		})
	}
	return group.Wait()
}

// tokens requests the token of each sidecar, as the kubelet does.
func (b *bench) tokens(ctx context.Context) ([]string, error) {
	out := make([]string, b.mesh.Sidecars())
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for i := range out {
		group.Go(func() error {
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
		})
	}
	return out, group.Wait()
}

// connect connects all sidecars and waits until they have everything.
func (b *bench) connect(ctx context.Context, result *Result) error {
	tokens, err := b.tokens(ctx)
	if err != nil {
		return err
	}
	b.oracle, b.fleet = mesh.NewOracle(b.mesh, b.root.CertPEM()), fleet.New(b.mesh, tokens)
	b.fleet.Addresses = true
	all, err := b.oracle.Resources(0)
	if err != nil {
		return err
	}
	idle, err := b.controller.usage()
	if err != nil {
		return err
	}
	// The certificate of the workload is one more.
	wait := b.fleet.ExpectAll(append(all, mesh.Resource{ResourceKey: mesh.ResourceKey{TypeURL: mesh.SecretType}}))
	begun := time.Now()
	b.fleet.Connect(fmt.Sprintf("127.0.0.1:%d", names.ADSPort), fleet.TLS(b.root, names.ADSCommonName(mesh.TrustDomain)))
	if err := b.awaitResources(wait, syncLimit); err != nil {
		return err
	}
	result.Sync = time.Since(begun)
	connected, err := b.controller.usage()
	result.SyncCPU, result.After = connected.CPU-idle.CPU, connected.Resident
	return err
}

// awaitResources waits until sidecars have what they expect.
func (b *bench) awaitResources(wait *fleet.Wait, limit time.Duration) error {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	select {
	case <-wait.Done():
		return b.fleet.Err()
	case <-timeout.C:
		return errors.Join(fmt.Errorf("not all sidecars have their resources after %s: %s", limit, b.fleet.Missing()), b.fleet.Err())
	}
}
