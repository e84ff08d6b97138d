package endtoend

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/objects"
)

// makeChanges makes changes of a kind, one after the other, and then waits until the control plane has written the status of all.
func (b *bench) makeChanges(ctx context.Context, kind mesh.Kind) change {
	b.Helper()
	written, share := b.idle(ctx)
	begun := b.controller.usage()
	before, sent := time.Now(), b.fleet.Traffic().Bytes
	out := change{kind: kind}
	pauses := rand.New(rand.NewPCG(1, 2)) // the same in each run
	for range endToEndChanges {
		time.Sleep(minPause + time.Duration(pauses.Int64N(int64(maxPause-minPause))))
		b.makeChange(ctx, &out)
	}
	now := b.quiet(ctx)
	ended := b.controller.usage()
	out.cpu = max(0, ended.CPU-begun.CPU-time.Duration(share*float64(time.Since(before)))) / endToEndChanges
	out.bytes = float64(b.fleet.Traffic().Bytes-sent) / endToEndChanges
	out.status, out.events = (now.status-written.status)/endToEndChanges, (now.events-written.events)/endToEndChanges
	slices.Sort(out.times)
	slices.Sort(out.delivered)
	return out
}

// makeChange makes one change and adds how long everything took, the part after the API server had answered, and how many sidecars were updated without
// need.
func (b *bench) makeChange(ctx context.Context, out *change) {
	b.Helper()
	next := b.mesh.Next(out.kind)
	differences, err := b.oracle.Apply(next)
	must(b.B, err)
	var writes []write
	for _, c := range next.Changes {
		one, err := b.cluster.prepare(ctx, c.Entry)
		must(b.B, err)
		writes = append(writes, one)
	}
	wait := b.fleet.Expect(differences)
	begun := time.Now()
	for _, one := range writes {
		must(b.B, one(ctx))
	}
	answered := time.Now()
	b.awaitResources(wait, changeLimit)
	out.times, out.delivered = append(out.times, time.Since(begun)), append(out.delivered, time.Since(answered))
	_, needless := b.fleet.Touched(differences)
	out.needless = max(out.needless, needless)
}

// idle waits until the control plane writes nothing. It returns what was written so far, and the share of a core that the controller uses without changes.
func (b *bench) idle(ctx context.Context) (writes, float64) {
	b.Helper()
	written := b.quiet(ctx)
	before, begun := b.controller.usage(), time.Now()
	time.Sleep(quiet)
	return written, float64(b.controller.usage().CPU-before.CPU) / float64(time.Since(begun))
}

// quiet waits until the control plane has written nothing for a while.
func (b *bench) quiet(ctx context.Context) writes {
	b.Helper()
	for last := b.cluster.writes(ctx); ; {
		time.Sleep(quiet)
		now := b.cluster.writes(ctx)
		if now == last {
			return now
		}
		last = now
	}
}

// requestsMetric counts the requests to the API server.
const requestsMetric = "apiserver_request_total"

// writes counts what the control plane has written.
type writes struct{ status, events float64 }

// writes returns how many requests have written the status of policies, and Events, so far, as the API server counts them.
func (c *cluster) writes(ctx context.Context) writes {
	c.Helper()
	clients, err := kubernetes.NewForConfig(c.environment.Config)
	must(c.B, err)
	stream, err := clients.Discovery().RESTClient().Get().AbsPath("/metrics").Stream(ctx)
	must(c.B, err)
	defer stream.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(stream)
	must(c.B, err)
	var sum writes
	for _, metric := range families[requestsMetric].GetMetric() {
		if !slices.Contains([]string{"POST", "PUT", "PATCH", "APPLY"}, label(metric, "verb")) {
			continue
		}
		switch resource := label(metric, "resource"); {
		case resource == "events":
			sum.events += metric.GetCounter().GetValue()
		case label(metric, "subresource") == "status" && resource != "pods":
			sum.status += metric.GetCounter().GetValue()
		}
	}
	return sum
}

func label(metric *dto.Metric, name string) string {
	for _, pair := range metric.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

// meshName is the name of the mesh.
const meshName = "bench"

// object returns the object that the control plane reads as an entry of the catalog.
func object(entry catalog.Entry) (client.Object, error) {
	switch e := entry.(type) {
	case *catalog.Namespace:
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.Name, Labels: map[string]string{names.MonitoredByLabel: meshName}}}, nil
	case *catalog.ServiceAccount:
		return &corev1.ServiceAccount{ObjectMeta: objects.Meta(e.Name)}, nil
	case *inventory.Service:
		service := objects.Service(e)
		return &service, nil
	case *inventory.EndpointSlice:
		slice := objects.EndpointSlice(e)
		return &slice, nil
	case *inventory.Instance:
		pod := objects.Pod(e)
		pod.Spec.Containers[0].Image, pod.Spec.InitContainers[0].Image = "app", "envoy"
		pod.Status.Phase, pod.Status.PodIP = corev1.PodRunning, pod.Status.PodIPs[0].IP
		return &pod, nil
	case *catalog.HTTPRouteGroup:
		group := objects.HTTPRouteGroup(e)
		return policy("specs.smi-spec.io/v1alpha4", "HTTPRouteGroup", &group)
	case *catalog.HTTPRoute:
		route := objects.HTTPRoute(e)
		return policy("gateway.networking.k8s.io/v1", "HTTPRoute", &route)
	case *catalog.TrafficTarget:
		target := objects.TrafficTarget(e)
		return policy("access.smi-spec.io/v1alpha3", "TrafficTarget", &target)
	}
	return nil, fmt.Errorf("there is no object for %T", entry)
}

func policy(version, kind string, typed client.Object) (client.Object, error) {
	typed.GetObjectKind().SetGroupVersionKind(schema.FromAPIVersionAndKind(version, kind))
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	return &unstructured.Unstructured{Object: content}, err
}

// write creates or replaces an object.
type write func(ctx context.Context) error

// prepare returns the write for an entry. A new pod also gets its status.
func (c *cluster) prepare(ctx context.Context, entry catalog.Entry) (write, error) {
	o, err := object(entry)
	if err != nil {
		return nil, err
	}
	existing := o.DeepCopyObject().(client.Object)
	err = c.client.Get(ctx, client.ObjectKeyFromObject(o), existing)
	if err == nil {
		o.SetResourceVersion(existing.GetResourceVersion())
		return func(ctx context.Context) error { return c.client.Update(ctx, o) }, nil
	}
	return func(ctx context.Context) error { return c.create(ctx, o) }, client.IgnoreNotFound(err)
}

func (c *cluster) create(ctx context.Context, o client.Object) error {
	desired, isPod := o.DeepCopyObject().(*corev1.Pod)
	if err := c.client.Create(ctx, o); err != nil || !isPod {
		return err
	}
	desired.ResourceVersion, desired.UID = o.GetResourceVersion(), o.GetUID()
	return c.client.Status().Update(ctx, desired)
}
