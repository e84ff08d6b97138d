package endtoend

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// upgradeLimit is the time limit for all sidecars to get another Envoy.
const upgradeLimit = 30 * time.Minute

// measureUpgrade gives all sidecars of a mesh another Envoy in place. It reports the time from the edit to the last sidecar, and what the operator used until
// the mesh has the upgrade in its history.
func measureUpgrade(b *testing.B, namespaces, pods int) {
	b.Helper()
	o, cluster := installOperator(b, build(b, "operator"))
	ctx := b.Context()
	people := population{client: o.client, revision: o.mesh.Status.Revisions[0].Name, namespaces: namespaces, pods: pods}
	must(b, people.create(ctx))
	kubelet := runSlotKubelet(b, cluster.client, "example.com/any:v1")
	must(b, o.client.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: names.OperatorNamespace, Name: names.Operator}}))
	revision := &v1alpha1.MeshRevision{}
	must(b, o.client.Get(ctx, client.ObjectKey{Name: o.mesh.Status.Revisions[0].Name}, revision))
	runReplica(b, o.client, revision.Spec.TrustDomain, kubelet.proxies)
	o.edit(ctx, func(spec *v1alpha1.MeshSpec) {
		soak, pause := v1alpha1.Duration("1s"), v1alpha1.Duration("1s")
		spec.Upgrade = &v1alpha1.UpgradeSpec{Gates: &v1alpha1.GatesSpec{Soak: &soak}, DataPlane: &v1alpha1.DataPlaneSpec{
			Restart: ptr.To(v1alpha1.RestartInPlace), MaxConcurrent: ptr.To(intstr.FromString("25%")), PauseBetween: &pause, Pull: &v1alpha1.PullSpec{Mode: ptr.To(v1alpha1.PullOff)},
		}}
	})
	o.await(ctx, func() error { return o.isIdle(0) })
	time.Sleep(idleTime)
	before, sent, begun := o.usage(), o.requests.requests(b), time.Now()
	o.edit(ctx, func(spec *v1alpha1.MeshSpec) {
		spec.Sidecar = &v1alpha1.SidecarSpec{Image: ptr.To("example.com/any:v2")}
	})
	var last time.Duration
	o.await(ctx, func() error {
		if changed := kubelet.changed.Load(); int(changed) < pods {
			return fmt.Errorf("%d of %d sidecars have another Envoy: %+v", changed, pods, o.mesh.Status.Upgrade)
		}
		if last == 0 {
			last = time.Since(begun)
		}
		return o.isIdle(1)
	})
	used := o.usage()
	row(b, fmt.Sprintf("%d sidecars get another Envoy", pods), map[string]float64{
		"s-to-last": last.Seconds(), "s": time.Since(begun).Seconds(), "CPU-ms": ms(used.CPU - before.CPU), "requests": float64(o.requests.requests(b) - sent), "peak-MB": float64(used.Peak) / 1e6,
	})
}

// edit changes the spec of the mesh.
func (o *operatorBench) edit(ctx context.Context, change func(*v1alpha1.MeshSpec)) {
	o.Helper()
	must(o.B, o.client.Get(ctx, client.ObjectKeyFromObject(o.mesh), o.mesh))
	change(&o.mesh.Spec)
	must(o.B, o.client.Update(ctx, o.mesh))
}

// await waits until a state of the mesh.
func (o *operatorBench) await(ctx context.Context, holds func() error) {
	o.Helper()
	eventually.Succeeds(o, upgradeLimit, "the upgrade has ended", func() error {
		if err := o.client.Get(ctx, client.ObjectKeyFromObject(o.mesh), o.mesh); err != nil {
			return err
		}
		return holds()
	})
}

// isIdle reports whether the status is about the present spec, no upgrade is in progress, and the history has a number of them that succeeded.
func (o *operatorBench) isIdle(upgrades int) error {
	succeeded := 0
	for _, entry := range o.mesh.Status.History {
		if entry.Result == v1alpha1.ResultSucceeded {
			succeeded++
		}
	}
	if o.mesh.Status.ObservedGeneration != o.mesh.Generation || o.mesh.Status.Upgrade != nil || succeeded < upgrades {
		return fmt.Errorf("%d upgrades have succeeded: %+v, conditions %+v", succeeded, o.mesh.Status.Upgrade, o.mesh.Status.Conditions)
	}
	return nil
}
